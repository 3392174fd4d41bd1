import { callIdOf } from '@muster/bus'
import {
  clip,
  HubError,
  isForeignJobStatus,
  isForeignJobType,
  isJobId,
  type Job,
  type JobId,
  type JobStatus,
  type JobType,
  jobStatuses,
  knownJobTypes,
  limits,
  parseJobStatus,
  parseJobType,
} from '@muster/contract'
import { reportEnd } from '@muster/runtime'
import { cancelJob, listJobs, readJob, readRelatives } from '@muster/store'
import { queryParameter } from '../http/address.ts'
import { type ApiContext, callerOf, type Deps, type Endpoint } from '../http/endpoint.ts'
import { readDocument } from '../http/json-body.ts'
import { type Paging, pageHeaders, pageQuery } from '../http/paging.ts'
import { jsonTextReply } from '../http/reply.ts'
import { createdJobSchema, jobSchema } from '../http/schemas.ts'
import { askedBy, askerOf, createJob } from './create-job.ts'
import { addressedJobId, jobBodySchema, parseJobBody } from './job-body.ts'
import { createdJobJson, jobJson } from './job-json.ts'

export function jobRoutes(deps: Deps, paging: Paging): readonly Endpoint[] {
  const { db, bus, clock, events } = deps

  return [
    {
      method: 'get',
      path: '/jobs/v2/query',
      operationId: 'listJobs',
      summary: 'List jobs, latest first',
      permission: 'ServiceConnect',
      throttle: 'jobOperations',
      query: { jobType: 'Only jobs of this type', jobStatus: 'Only jobs in this status', ...pageQuery },
      words: { jobType: knownJobTypes, jobStatus: jobStatuses },
      headers: pageHeaders,
      reply: jobSchema.array(),
      async handle(c) {
        const type = readType(c)
        const status = readStatus(c)
        const query = `jobs ${type} ${status}`
        const request = paging.read(c, query)
        if (type === 'none' || status === 'none') return paging.reply('JobResponse', query, noJobs)
        const write = (job: Job) => jobJson(job, c.get('vocabulary'))
        return paging.reply('JobResponse', query, await listJobs(db, { type, status }, { ...request, write }))
      },
    },
    {
      method: 'put',
      path: '/jobs/v2/{jobId}',
      operationId: 'createJob',
      summary: 'Create a job',
      permission: 'ServiceConnect',
      throttle: 'jobOperations',
      example: {
        body: {
          type: 'scheduleDeviceMethod',
          cloudToDeviceMethod: { methodName: 'reboot', payload: { delaySeconds: 5 }, responseTimeoutInSeconds: 30 },
          queryCondition: 'tags.building = 43 AND tags.floor = 3',
          maxExecutionTimeInSeconds: 600,
        },
        reply: { jobId: 'reboot-floor-3', type: 'scheduleDeviceMethod', status: 'queued' },
      },
      body: jobBodySchema,
      bodyBytes: limits.jobBodyBytes,
      reply: createdJobSchema,
      async handle(c) {
        const address = { jobId: addressedJobId(c.req.param('jobId') ?? ''), deviceId: null }
        const vocabulary = c.get('vocabulary')
        const request = parseJobBody(readDocument(c), address, { vocabulary, now: clock.now() })
        const job = await createJob(deps, { ...request, ...askedBy(c) }, callerOf(c))
        return jsonTextReply(200, createdJobJson(job, vocabulary, request.warnings))
      },
    },
    {
      method: 'get',
      path: '/jobs/v2/{jobId}',
      operationId: 'getJob',
      summary: 'Read a job and its statistics',
      permission: 'ServiceConnect',
      throttle: 'jobOperations',
      example: { reply: exampleJob },
      reply: jobSchema,
      async handle(c) {
        const jobId = readJobId(c)
        const job = await readJob(db, jobId)
        if (job === null) throw jobNotFound(jobId)
        return jsonTextReply(200, jobJson(job, c.get('vocabulary'), await readRelatives(db, job.key)))
      },
    },
    {
      method: 'post',
      path: '/jobs/v2/{jobId}/cancel',
      operationId: 'cancelJob',
      summary: 'Cancel a job that has not ended',
      permission: 'ServiceConnect',
      throttle: 'jobOperations',
      reply: jobSchema,
      async handle(c) {
        const jobId = readJobId(c)
        const cancellation = await cancelJob(db, jobId, clock.now(), askerOf(c))
        if (cancellation.kind === 'missing') throw jobNotFound(jobId)
        if (cancellation.kind === 'terminal') throw jobEnded(cancellation.status, 'cancelled')
        const { job, isRepeated } = cancellation
        c.get('span').linkTo(job.traceparent)
        // Not waited for: no call is delivered later than 3 s after its claim, whether the gateways hear of it or not.
        void bus.dropCall(callIdOf(job.key))
        if (!isRepeated) {
          events.jobCancelled({ jobId: job.jobId, type: job.type, ...callerOf(c) })
          reportEnd(events, job)
        }
        return jsonTextReply(200, jobJson(job, c.get('vocabulary')))
      },
    },
  ]
}

const exampleJob = {
  jobId: 'reboot-floor-3',
  type: 'scheduleDeviceMethod',
  status: 'running',
  createdTime: '2026-03-02T12:00:00.000Z',
  startTime: '2026-03-02T12:00:00.000Z',
  maxExecutionTimeInSeconds: 600,
  queryCondition: 'tags.building = 43 AND tags.floor = 3',
  deviceJobStatistics: {
    deviceCount: 40,
    succeededCount: 36,
    failedCount: 1,
    runningCount: 2,
    pendingCount: 1,
    canceledCount: 0,
  },
  cloudToDeviceMethod: {
    methodName: 'reboot',
    responseTimeoutInSeconds: 30,
    connectTimeoutInSeconds: 0,
    payload: { delaySeconds: 5 },
  },
}

/** @throws HubError JobNotFound for a text that is no job id */
export function readJobId(c: ApiContext): JobId {
  const text = c.req.param('jobId') ?? ''
  if (isJobId(text)) return text
  throw jobNotFound(text)
}

const noJobs = { items: [], continuation: null }

/** `none`: a word that clients know and no job of this hub has. Null: any job. */
type Filter<Value> = Value | 'none' | null

function readType(c: ApiContext): Filter<JobType> {
  const text = queryParameter(c, 'jobType')
  if (!text) return null
  const type = isForeignJobType(text) ? 'none' : parseJobType(text)
  if (type !== null) return type
  throw new HubError('ArgumentInvalid', {
    message: `jobType must be one of ${knownJobTypes.join(', ')}, got "${clip(text)}"`,
  })
}

function readStatus(c: ApiContext): Filter<JobStatus> {
  const text = queryParameter(c, 'jobStatus')
  if (!text) return null
  const status = isForeignJobStatus(text) ? 'none' : parseJobStatus(text)
  if (status !== null) return status
  throw new HubError('ArgumentInvalid', {
    message: `jobStatus must be one of ${jobStatuses.join(', ')}, got "${clip(text)}"`,
  })
}

export function jobNotFound(jobId: string): HubError {
  return new HubError('JobNotFound', { message: `There is no job with the id ${clip(jobId)}` })
}

/** `verb`: what it can not be any more. */
export function jobEnded(status: JobStatus, verb: string): HubError {
  const name = status.charAt(0).toUpperCase() + status.slice(1)
  return new HubError('OperationNotAllowedInCurrentState', { message: `Job cannot be ${verb} in '${name}' status.` })
}
