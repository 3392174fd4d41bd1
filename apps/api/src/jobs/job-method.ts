import { parseDeviceId } from '@muster/contract'
import { callerOf, type Deps, type Endpoint } from '../http/endpoint.ts'
import { readDocument } from '../http/json-body.ts'
import { jsonTextReply } from '../http/reply.ts'
import { createdJobSchema } from '../http/schemas.ts'
import { askedBy, createJob } from './create-job.ts'
import { addressedJobId, jobBodySchema, parseJobBody } from './job-body.ts'
import { createdJobJson } from './job-json.ts'

export function jobMethodRoutes(deps: Deps): readonly Endpoint[] {
  return [
    {
      method: 'put',
      path: '/jobs/v2/{deviceId}/methods/{jobId}',
      operationId: 'createDeviceMethodJob',
      summary: 'Create a direct method job for one device',
      permission: 'ServiceConnect',
      throttle: 'jobOperations',
      example: {
        path: { jobId: 'reboot-demo-001' },
        body: { cloudToDeviceMethod: { methodName: 'reboot' }, maxExecutionTimeInSeconds: 600 },
        reply: { jobId: 'reboot-demo-001', type: 'scheduleDeviceMethod', status: 'queued' },
      },
      body: jobBodySchema.omit({ queryCondition: true, deviceIds: true, updateTwin: true }),
      reply: createdJobSchema,
      async handle(c) {
        const deviceId = parseDeviceId(c.req.param('deviceId') ?? '')
        const address = { jobId: addressedJobId(c.req.param('jobId') ?? ''), deviceId }
        const vocabulary = c.get('vocabulary')
        const request = parseJobBody(readDocument(c), address, { vocabulary, now: deps.clock.now() })
        const job = await createJob(deps, { ...request, ...askedBy(c) }, callerOf(c))
        return jsonTextReply(200, createdJobJson(job, vocabulary, request.warnings))
      },
    },
  ]
}
