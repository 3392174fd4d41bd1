import { deviceJobStatuses, type JsonObject, jsonSchema } from '@muster/contract'
import { complaintOf, type HubClient } from '@muster/simulator'
import { z } from 'zod'

const jobSchema = z.object({
  status: z.string(),
  deviceJobStatistics: z
    .object({
      deviceCount: z.number(),
      succeededCount: z.number(),
      failedCount: z.number(),
      runningCount: z.number(),
      pendingCount: z.number(),
    })
    .optional(),
})
export type JobReply = z.output<typeof jobSchema>

const deviceJobSchema = z.object({
  deviceId: z.string(),
  status: z.enum(deviceJobStatuses),
  outcome: z.object({ deviceMethodResponse: z.object({ status: z.number(), payload: jsonSchema }).nullish() }),
  error: z.object({ code: z.string(), description: z.string() }).optional(),
})
export type DeviceJobRow = z.output<typeof deviceJobSchema>

const section = z.record(z.string(), jsonSchema)
const twinSchema = z.object({
  deviceId: z.string(),
  tags: section,
  properties: z.object({ desired: section, reported: section }),
})
export type TwinReply = z.output<typeof twinSchema>

export type JobRequest = JsonObject & { readonly jobId: string; readonly maxExecutionTimeInSeconds: number }

export async function scheduleJob(client: HubClient, job: JobRequest): Promise<void> {
  await call(client, 'PUT', `/jobs/v2/${job.jobId}`, z.unknown(), job)
}

export async function readJob(client: HubClient, jobId: string): Promise<JobReply> {
  return call(client, 'GET', `/jobs/v2/${jobId}`, jobSchema)
}

/** The rows of the demo devices. They fit into one page of 100. */
export async function queryDeviceJobs(client: HubClient, jobId: string): Promise<DeviceJobRow[]> {
  const query = `SELECT * FROM devices.jobs WHERE devices.jobs.jobId = '${jobId}' AND STARTSWITH(deviceId, 'demo-')`
  return call(client, 'POST', '/devices/query', z.array(deviceJobSchema), { query })
}

/** The twins of the demo devices that match a condition, in one page. */
export async function queryTwins(client: HubClient, condition: string): Promise<TwinReply[]> {
  return call(client, 'POST', '/devices/query', z.array(twinSchema), {
    query: `SELECT * FROM devices WHERE ${condition} AND STARTSWITH(deviceId, 'demo-')`,
  })
}

async function call<Reply>(
  client: HubClient,
  method: 'GET' | 'PUT' | 'POST',
  path: string,
  schema: z.ZodType<Reply>,
  body?: JsonObject,
): Promise<Reply> {
  const reply = await client.send(method, path, body)
  if (reply.status !== 200) throw new Error(`${method} ${path}: ${complaintOf(reply)}`)
  return schema.parse(reply.body)
}
