import type { JobKey } from '@muster/contract'
import type { Hub } from '@muster/runtime'
import { completeJob } from '@muster/store'

/** Completes the job when no device of it is open. Guarded in Postgres: two last workers are harmless. */
export async function settleJob(
  { db, clock, events }: Pick<Hub, 'db' | 'clock' | 'events'>,
  key: JobKey,
): Promise<void> {
  const job = await completeJob(db, key, clock.now())
  if (job !== null) events.jobEnded({ jobId: job.jobId, type: job.type, status: job.status })
}
