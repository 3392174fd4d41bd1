import { type Job, type JobKey, runSeconds } from '@muster/contract'
import { completeJob } from '@muster/store'
import type { Events } from '../observability/events.ts'
import { traceIdOf } from '../tracing/tracing.ts'
import type { Clock, Hub } from './role.ts'

/**
 * Completes a running job that has no open device, and reports its end. Whoever records the last outcome calls it, and a sweep does
 * when nobody did. The statement is guarded: of two callers one completes the job, and the other changes nothing.
 */
export async function finishJob(
  { db, clock, events }: Pick<Hub, 'db' | 'events'> & { readonly clock: Clock },
  key: JobKey,
): Promise<void> {
  const job = await completeJob(db, key, clock.now())
  if (job !== null) reportEnd(events, job)
}

export function reportEnd(events: Pick<Events, 'jobEnded'>, job: Job): void {
  const { jobId, type, status, traceparent } = job
  events.jobEnded({ jobId, type, status, seconds: runSeconds(job), traceId: traceIdOf(traceparent) })
}
