import { type JobKey, runSeconds } from '@muster/contract'
import { completeJob } from '@muster/store'
import type { Hub } from './role.ts'

/**
 * Completes a running job that has no open device, and reports its end. Whoever records the last outcome calls it, and a sweep does
 * when nobody did. The statement is guarded: of two callers one completes the job, and the other changes nothing.
 */
export async function finishJob(
  { db, clock, events }: Pick<Hub, 'db' | 'clock' | 'events'>,
  key: JobKey,
): Promise<void> {
  const job = await completeJob(db, key, clock.now())
  if (job !== null) events.jobEnded({ jobId: job.jobId, type: job.type, status: job.status, seconds: runSeconds(job) })
}
