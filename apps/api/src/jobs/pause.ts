import { HubError, parseExactly, pauseBodySchema } from '@muster/contract'
import { pauseJob, resumeJob, type Steered, steerJob } from '@muster/store'
import { described } from '../http/described.ts'
import type { ApiContext, Deps, Endpoint } from '../http/endpoint.ts'
import { readDocument } from '../http/json-body.ts'
import { jsonTextReply } from '../http/reply.ts'
import { jobSchema } from '../http/schemas.ts'
import { askerOf } from './create-job.ts'
import { jobJson } from './job-json.ts'
import { jobEnded, jobNotFound, readJobId } from './jobs.ts'
import { wakeJob } from './wake-job.ts'

export function pauseRoutes({ db, bus, clock, events }: Deps): readonly Endpoint[] {
  return [
    {
      method: 'post',
      path: '/jobs/v2/{jobId}/pause',
      operationId: 'pauseJob',
      summary: 'Pause a job that has not ended: it starts no device, and its window stands still',
      permission: 'ServiceConnect',
      throttle: 'jobOperations',
      example: { body: { reason: 'the depot is without power', pauseTimeoutSeconds: 86_400 } },
      body: described(pauseBodySchema),
      reply: jobSchema,
      async handle(c) {
        const { reason = null, pauseTimeoutSeconds } = parseExactly(pauseBodySchema, readDocument(c).body ?? {})
        const pause = { asker: askerOf(c), reason, timeoutSeconds: pauseTimeoutSeconds }
        const steered = await steerJob(db, readJobId(c), (tx, key) => pauseJob(tx, key, pause, clock.now()))
        if (steered.kind === 'steered' && steered.job.pause === null) throw windowOver()
        return replyOf(c, steered, 'paused')
      },
    },
    {
      method: 'post',
      path: '/jobs/v2/{jobId}/resume',
      operationId: 'resumeJob',
      summary: 'End the pause of a job: it goes on where it stood',
      permission: 'ServiceConnect',
      throttle: 'jobOperations',
      reply: jobSchema,
      async handle(c) {
        const asker = askerOf(c)
        const steered = await steerJob(db, readJobId(c), (tx, key) => resumeJob(tx, key, { asker }, clock.now()))
        if (steered.kind === 'steered' && steered.isChanged) await wakeJob({ bus, events }, steered.job)
        return replyOf(c, steered, 'resumed')
      },
    },
  ]
}

/** @throws HubError JobNotFound, OperationNotAllowedInCurrentState */
export function replyOf(c: ApiContext, steered: Steered, verb: string): Response {
  const jobId = readJobId(c)
  if (steered.kind === 'missing') throw jobNotFound(jobId)
  if (steered.kind === 'terminal') throw jobEnded(steered.status, verb)
  c.get('span').linkTo(steered.job.traceparent)
  return jsonTextReply(200, jobJson(steered.job, c.get('vocabulary')))
}

/** A job that runs after its window is not paused: it ends by itself. */
function windowOver(): HubError {
  return new HubError('OperationNotAllowedInCurrentState', {
    message: 'Job cannot be paused: its window is over, and it ends.',
  })
}
