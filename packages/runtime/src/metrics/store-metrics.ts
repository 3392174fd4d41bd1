import { hotStatements } from '@muster/store'
import { shortSeconds } from './buckets.ts'
import { histogram, knownGauge } from './declare.ts'
import { poolNames } from './words.ts'

/** How a process uses Postgres and Redis. */
export const storeMetrics = {
  muster_redis_ping_seconds: knownGauge('How long Redis takes for a write and a question', {}),
  muster_postgres_pool_size: knownGauge('Connections to Postgres that the pool may have', { pool: poolNames }),
  muster_postgres_pool_used: knownGauge('Connections to Postgres in use', { pool: poolNames }),
  muster_postgres_pool_waiting: knownGauge('Statements and transactions that wait for a connection', {
    pool: poolNames,
  }),
  muster_postgres_pool_wait_seconds: histogram(
    'How long statements and transactions waited for a connection',
    { pool: poolNames },
    shortSeconds,
  ),
  muster_statement_seconds: histogram(
    'Hot statements that succeeded, by name; outside a transaction with the wait for a connection',
    { name: hotStatements },
    shortSeconds,
  ),
}
