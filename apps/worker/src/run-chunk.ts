import { type Next, turnsOf, type WorkWakeUp } from '@muster/bus'
import { notifyDesired, operationOf, type StoreOperation } from '@muster/operations'
import { advanceRollout, finishJob } from '@muster/runtime'
import {
  ChunkError,
  claimChunk,
  type Db,
  executeChunk,
  isNotNow,
  isWatched,
  type LockedChunk,
  mostTries,
  type NotNow,
  type RunningJob,
  readRunningJob,
} from '@muster/store'
import type { Claim } from './claim.ts'
import { beginClaimSpan, beginWorkSpan } from './claim-span.ts'
import { executeOneByOne } from './one-by-one.ts'
import { countByCode } from './outcomes/count-by-code.ts'
import { earlyPause, pace } from './pace.ts'
import { startAttempts } from './start-attempts.ts'
import type { WorkerHub } from './worker-hub.ts'

type Turn = Extract<WorkWakeUp, { kind: 'chunks' }>

/**
 * Takes one ready chunk of the job and carries it out. `done`: there was none to take. A pause: no room for its calls, no rate, or a limit
 * of the job.
 */
export async function runChunk(worker: WorkerHub, { key, type, turn }: Turn): Promise<Next> {
  const operation = operationOf(type)
  const next =
    operation.kind === 'store'
      ? await executeInStore(worker, { key, turn }, operation)
      : await startAttempts(worker, { key, turn, deviceCount: operation.chunkSize }, (job, workerId) =>
          claimFirstAttempts(worker, job, workerId),
        )
  if (next === 'done') await finishJob(worker, key)
  return next
}

/** Carries out a chunk inside Postgres, and tells the gateways about the changes. After one that fails comes the next one. */
async function executeInStore(
  worker: WorkerHub,
  { key, turn }: Pick<Turn, 'key' | 'turn'>,
  operation: StoreOperation,
): Promise<Next> {
  const { db, bus, clock, events, throttles, tracing } = worker
  const job = await readRunningJob(db, key)
  if (job === null || turn >= turnsOf(job.priority)) return 'done'
  const early = earlyPause(job, clock.now())
  if (early !== null) return early
  const startedAt = clock.now()
  const execution = pace(throttles, operation.chunkSize, () => executeNextChunk(worker, job, operation))
  const executed = await execution.catch((error: unknown) => {
    if (error instanceof ChunkError) return error
    throw error
  })
  if (executed instanceof ChunkError) {
    const span = beginWorkSpan(tracing, job, { name: 'run chunk', chunkNo: null, deviceCount: 0, startedAt })
    events.wakeUpFailed({ kind: 'chunks', jobKey: key, traceId: span.traceId, error: executed.cause })
    span.end('ChunkError')
    return 'more'
  }
  if (executed === null) {
    if (isWatched(job.extensions)) await advanceRollout(worker, key)
    return 'done'
  }
  if ('laterMs' in executed) return executed

  const { chunkNo, deviceCount, failures, skipped = [], desired } = executed
  const span = beginWorkSpan(tracing, job, { name: 'run chunk', chunkNo, deviceCount, startedAt })
  events.chunkRecorded({
    jobKey: key,
    type: operation.type,
    succeeded: deviceCount - failures.length - skipped.length,
    failed: failures.length,
    retried: 0,
    waiting: 0,
    failures: countByCode(failures.map(({ error }) => error)),
    traceId: span.traceId,
  })
  const isTold = await notifyDesired({ db, bus }, desired).finally(() => span.end())
  if (!isTold) events.wakeUpLost({ kind: 'desired' })
  return 'more'
}

/** Claim, effect, outcomes and counters in one transaction: after a crash the chunk is ready and the twins are unchanged. */
async function executeNextChunk(worker: WorkerHub, job: RunningJob, operation: StoreOperation) {
  const { db, clock } = worker
  const now = clock.now()
  const work = (tx: Db, chunk: LockedChunk) =>
    chunk.claims < mostTries
      ? operation.execute(tx, chunk, now)
      : executeOneByOne(worker, operation, { tx, chunk, now })
  const executed = await executeChunk(db, job, { begin: (tx) => operation.begin(tx, job, now), work }, now)
  if (executed !== null && !isNotNow(executed) && executed.isFirst) observeStart(worker, job, now)
  return executed
}

async function claimFirstAttempts(
  worker: WorkerHub,
  job: RunningJob,
  workerId: string,
): Promise<Claim | NotNow | null> {
  const now = worker.clock.now()
  const claimed = await claimChunk(worker.db, job, workerId, now)
  if (claimed === null || isNotNow(claimed)) return claimed
  if (claimed.chunkNo === 0 && claimed.fence === 1) observeStart(worker, job, now)
  const { askedSince, chunkNo } = claimed
  const deviceCount = claimed.deviceIds.length
  return {
    kind: 'chunks',
    given: claimed,
    job,
    workerId,
    claimedAt: now,
    deviceCount,
    span: beginClaimSpan(worker.tracing, job, { name: 'run chunk', chunkNo, deviceCount, startedAt: now }),
    attempts: claimed.deviceIds.map((deviceId) => ({
      deviceId,
      attempt: 1,
      deliveries: 0,
      unknownDeliveries: 0,
      notNows: 0,
      askedSince,
    })),
  }
}

/** The first devices of a job are claimed: by then it has really begun. */
function observeStart({ metrics }: WorkerHub, { type, startAt }: RunningJob, now: Date): void {
  metrics.muster_job_start_lag_seconds.observe({ type }, Math.max(0, now.getTime() - startAt.getTime()) / 1000)
}
