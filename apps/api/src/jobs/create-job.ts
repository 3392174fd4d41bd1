import { HubError, type Job, type JobRequest } from '@muster/contract'
import { type Traceparent, traceIdOf } from '@muster/runtime'
import { type Asker, insertJob, markScheduled } from '@muster/store'
import { type ApiContext, type Caller, callerOf, type Deps } from '../http/endpoint.ts'

/** Who asks for a job, and the span in which that is. */
interface Asked {
  readonly asker: Asker
  readonly traceparent: Traceparent | null
}

export function askedBy(c: ApiContext): Asked {
  return { asker: askerOf(c), traceparent: c.get('span').traceparent }
}

/** For the history of the job. */
export function askerOf(c: ApiContext): Asker {
  return { actor: c.get('account'), clientAddress: callerOf(c).clientAddress }
}

/**
 * Creates a job, and then wakes the dispatcher for its start. Only the row counts: if the bus cannot be reached, the answer to the
 * caller is the same, and a sweep finds the job. Returns the job as it was inserted, `queued`.
 * @throws HubError JobAlreadyExists
 */
export async function createJob(
  deps: Deps,
  request: JobRequest & { readonly queryCondition: string } & Asked,
  caller: Caller,
): Promise<Job> {
  const job = await insertJob(deps.db, request, deps.clock.now())
  if (job === null) {
    throw new HubError('JobAlreadyExists', {
      message: `A job with the id ${request.jobId} exists already; choose another id`,
    })
  }
  await announceJob(deps, job, caller)
  return job
}

/** Tells of a job that was inserted, and wakes the dispatcher for its start. */
export async function announceJob({ db, bus, clock, events }: Deps, job: Job, caller: Caller): Promise<void> {
  events.jobCreated({ jobId: job.jobId, type: job.type, ...caller })
  const isOnBus = await bus.wakeAt(job.key, job.startTime)
  if (!isOnBus) events.wakeUpLost({ kind: 'job' })
  if (isOnBus && job.startTime > clock.now()) {
    // The job exists. Its status is late, which a sweep repairs; that is no error for the caller.
    await markScheduled(db, job.key).catch((error: unknown) =>
      events.wakeUpFailed({ kind: 'job', jobKey: job.key, traceId: traceIdOf(job.traceparent), error }),
    )
  }
}
