import type { Next } from '@muster/bus'
import type { JobKey } from '@muster/contract'
import { operationOf } from '@muster/operations'
import { claimDueDeviceJobs, type Lease, readRunningJob, readRunningType, recordLaterAttempts } from '@muster/store'
import type { Claim } from './claim.ts'
import { startAttempts } from './start-attempts.ts'
import type { WorkerHub } from './worker-hub.ts'

/** Takes device jobs that are due again and starts their next attempts. `done`: there was none. A pause: no room for the calls, or no rate. */
export async function runDue(worker: WorkerHub, key: JobKey): Promise<Next> {
  const type = await readRunningType(worker.db, key)
  if (type === null) return 'done'

  const limit = Math.min(operationOf(type).chunkSize, worker.throttles.portionOf('jobDeviceOperations'))
  return startAttempts(worker, limit, (lease) => claimLaterAttempts(worker, key, { ...lease, limit }))
}

async function claimLaterAttempts(
  { db, clock }: WorkerHub,
  key: JobKey,
  lease: Lease & { readonly limit: number },
): Promise<Claim | null> {
  const job = await readRunningJob(db, key)
  const now = clock.now()
  const claimed = job === null ? null : await claimDueDeviceJobs(db, job, lease, now)
  if (claimed === null) return null
  return {
    kind: 'due',
    job: claimed.job,
    claimedAt: now,
    deviceCount: claimed.attempts.length,
    attempts: claimed.attempts,
    record: (outcomes) => recordLaterAttempts(db, claimed, outcomes, clock.now()),
  }
}
