import { type Hub, type Readings, workersNeeded } from '@muster/runtime'
import {
  readDatabaseFigures,
  readIntegrityFigures,
  readJobFigures,
  readLoad,
  readWebhookFigures,
  readWorkFigures,
} from '@muster/store'

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
      const { overdue, paused, ...byStatus } = await readJobFigures(db, clock.now())
      return {
        muster_jobs: Object.entries(byStatus).map(([status, value]) => ({ labels: { status }, value })),
        muster_jobs_overdue: overdue,
        muster_jobs_paused: paused,
      }
    },
    async (): Promise<Readings> => {
      const { oldestReadySeconds, ...byState } = await readWorkFigures(db, clock.now())
      return {
        muster_work: Object.entries(byState).map(([state, value]) => ({ labels: { state }, value })),
        muster_work_oldest_ready_seconds: oldestReadySeconds,
      }
    },
    async (): Promise<Readings> => {
      const { oldestPendingSeconds, ...byState } = await readWebhookFigures(db, clock.now())
      return {
        muster_webhook_deliveries: Object.entries(byState).map(([state, value]) => ({ labels: { state }, value })),
        muster_webhook_oldest_pending_seconds: oldestPendingSeconds,
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
  const round = countRounds()
  for (const each of read) metrics.whenScraped(remembered(each, round))
}

/**
 * The number of the round of questions to the stores. A new one begins when somebody asks and the last is too old. Readings that each kept
 * a time of their own would not all be asked again in the same scrape.
 */
function countRounds(): () => number {
  let round = 0
  let beganAtMs = Number.NEGATIVE_INFINITY
  return () => {
    const nowMs = performance.now()
    if (nowMs - beganAtMs >= everyMs) {
      round += 1
      beganAtMs = nowMs
    }
    return round
  }
}

/** The answer of this round, a failure too: a store that is away is not asked at every scrape. */
function remembered<Value>(read: () => Promise<Value>, currentRound: () => number): () => Promise<Value> {
  let last: { readonly round: number; readonly value: Promise<Value> } | null = null
  return () => {
    const round = currentRound()
    if (last?.round !== round) last = { round, value: read() }
    return last.value
  }
}
