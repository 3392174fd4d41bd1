import type { Next } from '@muster/bus'
import type { JobKey } from '@muster/contract'
import { claimDueDeviceJobs, isNotNow, type NotNow, type RunningJob } from '@muster/store'
import type { Claim } from './claim.ts'
import { beginClaimSpan } from './claim-span.ts'
import { startAttempts } from './start-attempts.ts'
import type { WorkerHub } from './worker-hub.ts'

/** As many as a chunk of calls has. */
const mostAtOnce = 100

/**
 * Takes device jobs that are due again and starts their next attempts. `done`: there was none. A pause: no room for the calls, no rate,
 * or a limit of the job.
 */
export async function runDue(worker: WorkerHub, key: JobKey): Promise<Next> {
  const limit = Math.min(mostAtOnce, worker.throttles.portionOf('jobDeviceOperations'))
  return startAttempts(worker, { key, turn: 0, deviceCount: limit }, (job, workerId) =>
    claimLaterAttempts(worker, job, { workerId, limit }),
  )
}

async function claimLaterAttempts(
  { db, clock, tracing }: WorkerHub,
  job: RunningJob,
  { workerId, limit }: { readonly workerId: string; readonly limit: number },
): Promise<Claim | NotNow | null> {
  const now = clock.now()
  const claimed = await claimDueDeviceJobs(db, job, { workerId, limit }, now)
  if (claimed === null || isNotNow(claimed)) return claimed
  return {
    kind: 'due',
    given: claimed,
    job,
    workerId,
    claimedAt: now,
    deviceCount: claimed.attempts.length,
    attempts: claimed.attempts,
    span: beginClaimSpan(tracing, job, {
      name: 'run due device jobs',
      chunkNo: null,
      deviceCount: claimed.attempts.length,
      startedAt: now,
    }),
  }
}
