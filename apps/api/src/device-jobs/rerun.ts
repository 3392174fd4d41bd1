import { clip, HubError, type JobId, type JobStatus, limits } from '@muster/contract'
import { type Db, readJob, readRelatives, rerunJob } from '@muster/store'
import { callerOf, type Deps, type Endpoint } from '../http/endpoint.ts'
import { readDocument } from '../http/json-body.ts'
import { jsonTextReply } from '../http/reply.ts'
import { jobSchema } from '../http/schemas.ts'
import { announceJob, askedBy } from '../jobs/create-job.ts'
import { addressedJobId, readStartTime } from '../jobs/job-body.ts'
import { jobJson } from '../jobs/job-json.ts'
import { jobNotFound, readJobId } from '../jobs/jobs.ts'
import { checkWindows } from '../jobs/windows.ts'
import { parseRerun, rerunSchema } from './selection.ts'

/** A new job that does again what an ended one has done. */
export function rerunRoutes(deps: Deps): readonly Endpoint[] {
  const { db, clock } = deps
  return [
    {
      method: 'post',
      path: '/jobs/v2/{jobId}/rerun',
      operationId: 'rerunJob',
      summary: 'Create a job that does again what an ended one has done, on some of its devices',
      permission: 'ServiceConnect',
      throttle: 'jobOperations',
      example: { body: { statuses: ['failed', 'canceled'], errorCodes: ['GatewayTimeout'] } },
      body: rerunSchema,
      bodyBytes: limits.jobBodyBytes,
      reply: jobSchema,
      async handle(c) {
        const parentJobId = readJobId(c)
        const now = clock.now()
        const { jobId, startTime, requery = false, selection } = parseRerun(readDocument(c).body)
        const wanted = jobId === undefined ? null : addressedJobId(jobId)
        const { asker, traceparent } = askedBy(c)
        const request = { jobId: wanted, selection, requery, startTime: readStartTime(startTime, now) }
        await checkParentWindows(db, parentJobId, request.startTime, now)
        const rerun = await rerunJob(db, parentJobId, { ...request, asker, traceparent }, now)
        switch (rerun.kind) {
          case 'created':
            await announceJob(deps, rerun.job, callerOf(c))
            return jsonTextReply(200, jobJson(rerun.job, c.get('vocabulary'), await readRelatives(db, rerun.job.key)))
          case 'missing':
            throw jobNotFound(parentJobId)
          case 'open':
            throw hasNotEnded(parentJobId, rerun.status)
          case 'taken':
            throw isTaken(wanted)
          case 'nothing':
            throw nothingMatches(parentJobId)
        }
      },
    },
  ]
}

/** The windows of a job that has ended do not change any more, so that they hold for its rerun. */
async function checkParentWindows(db: Db, parentJobId: JobId, startTime: Date | null, now: Date): Promise<void> {
  const parent = await readJob(db, parentJobId)
  if (parent === null) throw jobNotFound(parentJobId)
  if (parent.endTime === null) throw hasNotEnded(parentJobId, parent.status)
  checkWindows({ ...parent, startTime }, now)
}

function hasNotEnded(jobId: JobId, status: JobStatus): HubError {
  return new HubError('OperationNotAllowedInCurrentState', {
    message: `The job ${jobId} is ${status}; it can be run again when it has ended`,
  })
}

function isTaken(jobId: JobId | null): HubError {
  return new HubError('JobAlreadyExists', {
    message: `A job with the id ${clip(jobId ?? 'of the rerun')} exists already; choose another jobId`,
  })
}

function nothingMatches(jobId: JobId): HubError {
  return new HubError('NothingMatches', {
    message: `No device of the job ${jobId} is as statuses, errorCodes, deviceIds and requery want it; no job was created`,
  })
}
