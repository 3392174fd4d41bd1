import type { Next } from '@muster/bus'
import type { JobKey } from '@muster/contract'
import { notifyDesired, operationOf, type StoreOperation } from '@muster/operations'
import {
  claimChunk,
  finishLockedChunk,
  lockChunk,
  lockRunningJob,
  readRunningType,
  recordFirstAttempts,
} from '@muster/store'
import { pace } from './pace.ts'
import { settleJob } from './settle-job.ts'
import type { WorkerHub } from './worker-hub.ts'

/** Takes one ready chunk of the job and carries it out. `done`: there was none to take. A pause: no room for its calls, or no rate. */
export async function runChunk(worker: WorkerHub, key: JobKey): Promise<Next> {
  const type = await readRunningType(worker.db, key)
  if (type === null) return 'done'
  const operation = operationOf(type)
  const next = await (operation.kind === 'store'
    ? executeChunk(worker, key, operation)
    : callChunk(worker, key, operation.chunkSize))
  if (next === 'done') await settleJob(worker, key)
  return next
}

/** Claim, effect, outcomes and counters in one transaction: a crash anywhere leaves the chunk ready and the twins as they were. */
async function executeChunk(worker: WorkerHub, key: JobKey, operation: StoreOperation): Promise<Next> {
  const { db, bus, clock, events, throttles } = worker
  const executed = await pace(throttles, operation.chunkSize, () =>
    db.transaction(async (tx) => {
      const now = clock.now()
      const job = await lockRunningJob(tx, key, now)
      const chunk = job === null ? null : await lockChunk(tx, job)
      if (chunk === null) return null
      const { failures, desired } = await operation.execute(tx, chunk, now)
      await finishLockedChunk(tx, chunk, failures, now)
      return { deviceIds: chunk.deviceIds, failures, desired }
    }),
  )
  if (executed === null) return 'done'
  if ('laterMs' in executed) return executed

  const { deviceIds, failures, desired } = executed
  events.chunkRecorded({
    jobKey: key,
    type: operation.type,
    succeeded: deviceIds.length - failures.length,
    failed: failures.length,
    retried: 0,
    waiting: 0,
  })
  if (!(await notifyDesired({ db, bus }, desired))) events.wakeUpLost({ kind: 'desired' })
  return 'more'
}

/** Starts the first attempts of a chunk. Their answers are recorded as they come; nobody waits for the slowest device. */
function callChunk({ db, clock, attempts, throttles }: WorkerHub, key: JobKey, chunkSize: number): Promise<Next> {
  return attempts.start(chunkSize, (lease) =>
    pace(throttles, chunkSize, async () => {
      const claim = await db.transaction(async (tx) => {
        const now = clock.now()
        const job = await lockRunningJob(tx, key, now)
        return job === null ? null : claimChunk(tx, job, lease, now)
      })
      if (claim === null) return null
      return {
        job: claim.job,
        deviceIds: claim.deviceIds,
        attemptOf: () => 1,
        record: (outcomes) => recordFirstAttempts(db, claim, outcomes, clock.now()),
      }
    }),
  )
}
