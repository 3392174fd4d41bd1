import { z } from '@hono/zod-openapi'
import { clip, deviceJobStatuses, formatInstant, HubError, type JsonObject, jobStatuses } from '@muster/contract'
import { type Reason, reasonCodes, whyDevice, whyJob } from '@muster/store'
import type { Deps, Endpoint } from '../http/endpoint.ts'
import { jsonReply } from '../http/reply.ts'
import { jobNotFound, readJobId } from '../jobs/jobs.ts'

const reasonSchema = z.object({
  code: z.enum(reasonCodes),
  text: z.string(),
  untilTime: z.string().optional().openapi({ format: 'date-time', description: 'It ends then, or is looked at again' }),
  deviceCount: z.int().optional(),
})

const whyJobSchema = z
  .object({ jobId: z.string(), status: z.enum(jobStatuses), reasons: reasonSchema.array() })
  .openapi('WhyJob')

const whyDeviceSchema = z
  .object({ jobId: z.string(), deviceId: z.string(), status: z.enum(deviceJobStatuses), reasons: reasonSchema.array() })
  .openapi('WhyDevice')

/** What holds a job, or a device of it, now. */
export function whyRoutes({
  db,
  clock,
  maxRunningJobs,
}: Deps & { readonly maxRunningJobs: number }): readonly Endpoint[] {
  return [
    {
      method: 'get',
      path: '/jobs/v2/{jobId}/why',
      operationId: 'whyJob',
      summary: 'Tell what holds a job now, or why it has ended',
      permission: 'ServiceConnect',
      throttle: 'queries',
      example: { reply: exampleWhy },
      reply: whyJobSchema,
      async handle(c) {
        const jobId = readJobId(c)
        const why = await whyJob(db, jobId, { maxRunningJobs }, clock.now())
        if (why === null) throw jobNotFound(jobId)
        return jsonReply(200, { jobId, status: why.status, reasons: why.reasons.map(reasonJson) })
      },
    },
    {
      method: 'get',
      path: '/jobs/v2/{jobId}/devices/{deviceId}/why',
      operationId: 'whyDevice',
      summary: 'Tell what holds a device of a job now, or how its device job has ended',
      permission: 'ServiceConnect',
      throttle: 'queries',
      reply: whyDeviceSchema,
      async handle(c) {
        const jobId = readJobId(c)
        const deviceId = c.req.param('deviceId') ?? ''
        const why = await whyDevice(db, { jobId, deviceId }, { maxRunningJobs }, clock.now())
        if (why.kind === 'noJob') throw jobNotFound(jobId)
        if (why.kind === 'noTarget') {
          throw new HubError('DeviceNotFound', {
            message: `The job ${jobId} is not for the device ${clip(deviceId)}, or has not started`,
          })
        }
        return jsonReply(200, { jobId, deviceId, status: why.status, reasons: why.reasons.map(reasonJson) })
      },
    },
  ]
}

const exampleWhy = {
  jobId: 'reboot-floor-3',
  status: 'running',
  reasons: [
    {
      code: 'connection',
      text: 'The devices are not connected, or do not take direct methods.',
      untilTime: '2026-03-02T12:10:00.000Z',
      deviceCount: 3,
    },
  ],
}

function reasonJson({ code, text, until, deviceCount }: Reason): JsonObject {
  return {
    code,
    text,
    ...(until === null ? {} : { untilTime: formatInstant(until) }),
    ...(deviceCount === null ? {} : { deviceCount }),
  }
}
