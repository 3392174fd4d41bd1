import { formatInstant, type Vocabulary, withTexts, writeJson } from '@muster/contract'
import { type Lineage, readLineage } from '@muster/store'
import { z } from 'zod'
import { queryParameter } from '../http/address.ts'
import type { Deps, Endpoint } from '../http/endpoint.ts'
import { jsonTextReply } from '../http/reply.ts'
import { deviceJobSchema, jobSchema } from '../http/schemas.ts'
import { deviceJobJson, statisticsJson } from '../jobs/job-json.ts'
import { jobNotFound, readJobId } from '../jobs/jobs.ts'

const lineageSchema = z
  .object({
    jobs: jobSchema
      .pick({
        jobId: true,
        parentJobId: true,
        status: true,
        createdTime: true,
        endTime: true,
        deviceJobStatistics: true,
      })
      .array()
      .openapi({ description: 'Each after the one that it reruns' }),
    latest: z
      .object({ deviceCount: z.int().min(0), byStatus: z.record(z.string(), z.int().min(0)) })
      .optional()
      .openapi({ description: 'Without deviceId: each device once, as it is in the last job that is for it' }),
    deviceJobs: deviceJobSchema.array().optional().openapi({ description: 'With deviceId: at most 1000' }),
  })
  .openapi('Lineage')

/** A job, the one that it reruns, those that rerun it, and so on. */
export function lineageRoutes({ db }: Pick<Deps, 'db'>): readonly Endpoint[] {
  return [
    {
      method: 'get',
      path: '/jobs/v2/{jobId}/lineage',
      operationId: 'readLineage',
      summary: 'Read a job with all its reruns, and what has become of each device in the last of them that was for it',
      permission: 'ServiceConnect',
      throttle: 'queries',
      query: { deviceId: 'The rows of this device in place of the counts' },
      example: { reply: exampleLineage },
      reply: lineageSchema,
      async handle(c) {
        const jobId = readJobId(c)
        const vocabulary = c.get('vocabulary')
        const lineage = await readLineage(db, jobId, {
          deviceId: queryParameter(c, 'deviceId') || null,
          write: (row, texts) => withTexts(deviceJobJson(row, vocabulary), texts),
        })
        if (lineage === null) throw jobNotFound(jobId)
        return jsonTextReply(200, lineageText(lineage, vocabulary))
      },
    },
  ]
}

const exampleLineage = {
  jobs: [
    {
      jobId: 'reboot-floor-3',
      status: 'completed',
      createdTime: '2026-03-02T12:00:00.000Z',
      endTime: '2026-03-02T12:10:00.000Z',
    },
    {
      jobId: 'reboot-floor-3-rerun-1',
      parentJobId: 'reboot-floor-3',
      status: 'running',
      createdTime: '2026-03-02T13:00:00.000Z',
    },
  ],
  latest: { deviceCount: 40, byStatus: { completed: 39, running: 1 } },
}

function lineageText({ jobs, latest, deviceJobs }: Lineage, vocabulary: Vocabulary): string {
  const shown = jobs.map(({ jobId, parentJobId, status, createdTime, endTime, statistics }) => ({
    jobId,
    ...(parentJobId === null ? {} : { parentJobId }),
    status: vocabulary.status[status],
    createdTime: formatInstant(createdTime),
    ...(endTime === null ? {} : { endTime: formatInstant(endTime) }),
    ...(statistics === null ? {} : { deviceJobStatistics: statisticsJson(statistics, vocabulary) }),
  }))
  const members = [
    `"jobs":${writeJson(shown)}`,
    ...(latest === null ? [] : [`"latest":${writeJson(latest)}`]),
    ...(deviceJobs === null ? [] : [`"deviceJobs":[${deviceJobs.join()}]`]),
  ]
  return `{${members.join()}}`
}
