import type { JobKey } from '@muster/contract'
import { operationOf, type StoreOperation } from '@muster/operations'
import {
  claimChunk,
  finishLockedChunk,
  lockChunk,
  lockRunningJob,
  readRunningType,
  recordFirstAttempts,
} from '@muster/store'
import { settleJob } from './settle-job.ts'
import type { WorkerHub } from './worker-hub.ts'

/** Takes one ready chunk of the job and carries it out. `done`: there was none to take. `later`: no room for its calls. */
export async function runChunk(worker: WorkerHub, key: JobKey): Promise<'more' | 'later' | 'done'> {
  const type = await readRunningType(worker.db, key)
  if (type === null) return 'done'
  const operation = operationOf(type)
  const next =
    operation.kind === 'store'
      ? await executeChunk(worker, key, operation)
      : await callChunk(worker, key, operation.chunkSize)
  if (next === 'done') await settleJob(worker, key)
  return next
}

/** Claim, effect, outcomes and counters in one transaction: a crash anywhere leaves the chunk ready and the twins as they were. */
async function executeChunk(worker: WorkerHub, key: JobKey, operation: StoreOperation): Promise<'more' | 'done'> {
  const { db, bus, clock, events } = worker
  const executed = await db.transaction(async (tx) => {
    const now = clock.now()
    const job = await lockRunningJob(tx, key, now)
    const chunk = job === null ? null : await lockChunk(tx, job)
    if (chunk === null) return null
    const { failures, pushes } = await operation.execute(tx, chunk, now)
    await finishLockedChunk(tx, chunk, failures, now)
    return { chunk, failures, pushes }
  })
  if (executed === null) return 'done'

  const { chunk, failures, pushes } = executed
  events.chunkRecorded({
    jobKey: key,
    type: operation.type,
    succeeded: chunk.deviceIds.length - failures.length,
    failed: failures.length,
    retried: 0,
    waiting: 0,
  })
  await Promise.all(pushes.map(({ gatewayId, push }) => bus.pushDesired(gatewayId, push)))
  return 'more'
}

/** Starts the first attempts of a chunk. Their answers are recorded as they come; nobody waits for the slowest device. */
function callChunk(worker: WorkerHub, key: JobKey, chunkSize: number): Promise<'more' | 'later' | 'done'> {
  const { db, clock, attempts } = worker
  return attempts.start(chunkSize, async (lease) => {
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
  })
}
