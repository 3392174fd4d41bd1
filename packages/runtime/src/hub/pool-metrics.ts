import type { Connection, Times } from '@muster/store'
import type { Metrics } from '../metrics/metrics.ts'
import type { PoolName } from '../metrics/words.ts'

export function timesOf(metrics: Metrics, pool: PoolName): Times {
  return {
    connection: (seconds) => metrics.muster_postgres_pool_wait_seconds.observe({ pool }, seconds),
    statement: (name, seconds) => metrics.muster_statement_seconds.observe({ name }, seconds),
  }
}

interface ShownPool {
  readonly pool: PoolName
  readonly size: number
  readonly use: Connection['use']
}

export function showPools(metrics: Metrics, pools: readonly ShownPool[]): void {
  metrics.whenScraped(() => {
    const now = pools.map(({ pool, size, use }) => ({ labels: { pool }, size, ...use() }))
    return {
      muster_postgres_pool_size: now.map(({ labels, size }) => ({ labels, value: size })),
      muster_postgres_pool_used: now.map(({ labels, used }) => ({ labels, value: used })),
      muster_postgres_pool_waiting: now.map(({ labels, waiting }) => ({ labels, value: waiting })),
    }
  })
}
