import { type Hub, type Readings, workersNeeded } from '@muster/runtime'
import { readDatabaseFigures, readIntegrityFigures, readJobFigures, readLoad, readWorkFigures } from '@muster/store'

/** How old the gauges of the hub may be. Every dispatcher reads them for itself, and several may scrape it. */
const everyMs = 5_000

/**
 * The gauges of the hub as a whole, read when they are scraped. What one store or one statement does not tell leaves the others as they
 * are.
 */
export function showHub({
  db,
  bus,
  clock,
  metrics,
  config,
}: Pick<Hub, 'db' | 'bus' | 'clock' | 'metrics' | 'config'>): void {
  const read = [
    async (): Promise<Readings> => {
      const { overdue, ...byStatus } = await readJobFigures(db, clock.now())
      return {
        muster_jobs: Object.entries(byStatus).map(([status, value]) => ({ labels: { status }, value })),
        muster_jobs_overdue: overdue,
      }
    },
    async (): Promise<Readings> => {
      const { oldestReadySeconds, ...byState } = await readWorkFigures(db, clock.now())
      return {
        muster_work: Object.entries(byState).map(([state, value]) => ({ labels: { state }, value })),
        muster_work_oldest_ready_seconds: oldestReadySeconds,
      }
    },
    async (): Promise<Readings> => ({
      muster_workers_needed: workersNeeded(await readLoad(db, clock.now()), config),
    }),
    async (): Promise<Readings> => {
      const found = await readIntegrityFigures(db, clock.now(), Math.random())
      return { muster_job_integrity_violations: Object.values(found).reduce((sum, count) => sum + count, 0) }
    },
    async (): Promise<Readings> => {
      const figures = await readDatabaseFigures(db, clock.now())
      return {
        muster_schema_version: figures.schemaVersion,
        muster_partitions_ahead: figures.partitionsAheadWeeks,
        muster_database_bytes: figures.databaseBytes,
        muster_gateways: figures.gateways,
        muster_workers: figures.workers,
      }
    },
    async (): Promise<Readings> => {
      const { queues, memoryBytes, memoryLimitBytes, isNoeviction } = await bus.figures()
      return {
        muster_queue_jobs: queues.map(({ queue, state, count }) => ({ labels: { queue, state }, value: count })),
        muster_redis_memory_bytes: memoryBytes,
        muster_redis_memory_limit_bytes: memoryLimitBytes,
        ...(isNoeviction === null ? {} : { muster_redis_noeviction: Number(isNoeviction) }),
      }
    },
  ]
  for (const each of read) metrics.whenScraped(remembered(each))
}

/**
 * The last answer, a failure too, while it is fresh: a store that is away is not asked at every scrape. It counts from the question on, so
 * that all gauges of one scrape are asked for again together.
 */
function remembered<Value>(read: () => Promise<Value>): () => Promise<Value> {
  let last: { readonly atMs: number; readonly value: Promise<Value> } | null = null
  return () => {
    const nowMs = performance.now()
    if (last === null || nowMs - last.atMs >= everyMs) last = { atMs: nowMs, value: read() }
    return last.value
  }
}
