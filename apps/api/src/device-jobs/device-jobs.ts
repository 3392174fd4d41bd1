import { clip, HubError, type JsonObject, withTexts, writeJson } from '@muster/contract'
import { type DevicePage, readDevicePage } from '@muster/store'
import { queryParameter } from '../http/address.ts'
import type { ApiContext, Deps, Endpoint } from '../http/endpoint.ts'
import { type Paging, pageQuery } from '../http/paging.ts'
import { jsonTextReply } from '../http/reply.ts'
import { devicePageSchema } from '../http/schemas.ts'
import { deviceJobJson } from '../jobs/job-json.ts'
import { jobNotFound, readJobId } from '../jobs/jobs.ts'
import { createFiles, type FileFormat, fileFormats, isFileFormat } from './files.ts'
import { filterQuery, readFilter } from './filter.ts'

/** The devices of a job: a page of them with counts, or all of them as a file. */
export function deviceJobRoutes(deps: Deps, paging: Paging): readonly Endpoint[] {
  const files = createFiles(deps)
  return [
    {
      method: 'get',
      path: '/jobs/v2/{jobId}/devices',
      operationId: 'listDeviceJobs',
      summary: 'List the devices of a job, each with its outcome; the first page counts them',
      permission: 'ServiceConnect',
      throttle: 'queries',
      query: { ...filterQuery, ...formatQuery, ...pageQuery },
      words: { format: ['json', ...fileFormats] },
      example: { reply: examplePage },
      reply: devicePageSchema,
      otherTypes: ['text/csv', 'application/x-ndjson'],
      async handle(c) {
        const format = readFormat(c)
        const address = { jobId: readJobId(c), filter: readFilter(c) }
        const write = writerOf(c)
        if (format !== 'json') return files.send(c, { ...address, format, write })
        const query = `devices ${JSON.stringify(address)}`
        const request = paging.read(c, query)
        const page = await readDevicePage(deps.db, address.jobId, address.filter, {
          ...request,
          write: (row, texts) => withTexts(write(row), texts),
          // To count them reads every device that failed: too much for a look at one.
          withCounts: request.after === null && address.filter.deviceId === null,
        })
        if (page === null) throw jobNotFound(address.jobId)
        return jsonTextReply(200, pageText(page, paging.token(query, page)))
      },
    },
  ]
}

const examplePage = {
  items: [
    {
      deviceId: 'demo-155',
      jobId: 'reboot-floor-3',
      jobType: 'scheduleDeviceMethod',
      status: 'failed',
      startTimeUtc: '2026-03-02T12:00:00.000Z',
      endTimeUtc: '2026-03-02T12:10:00.000Z',
      createdDateTimeUtc: '2026-03-02T12:00:00.000Z',
      lastUpdatedDateTimeUtc: '2026-03-02T12:00:31.000Z',
      deliveries: 1,
      lastDeliveryTimeUtc: '2026-03-02T12:00:01.000Z',
      error: { code: 'GatewayTimeout', description: 'Timed out waiting for the response from device.' },
      outcome: {},
      cloudToDeviceMethod: { methodName: 'reboot', payload: { delaySeconds: 5 } },
    },
  ],
  counts: {
    byStatus: { pending: 1, running: 2, completed: 36, failed: 1, canceled: 0 },
    byErrorCode: { GatewayTimeout: 1 },
  },
}

const formatQuery = {
  format: `${fileFormats.join(' or ')}: all devices as a file, without counts and without pages; json by default`,
}

/** Rows in the words of the api-version of the request. */
function writerOf(c: ApiContext): (row: JsonObject) => JsonObject {
  const vocabulary = c.get('vocabulary')
  return (row) => deviceJobJson(row, vocabulary)
}

function pageText({ items, counts }: DevicePage, continuationToken: string | undefined): string {
  const members = [
    `"items":[${items.join()}]`,
    ...(counts === null ? [] : [`"counts":${writeJson(counts)}`]),
    ...(continuationToken === undefined ? [] : [`"continuationToken":"${continuationToken}"`]),
  ]
  return `{${members.join()}}`
}

function readFormat(c: ApiContext): FileFormat | 'json' {
  const text = queryParameter(c, 'format') || 'json'
  const format = text.toLowerCase()
  if (format === 'json' || isFileFormat(format)) return format
  throw new HubError('ArgumentInvalid', {
    message: `format must be one of json, ${fileFormats.join(', ')}, got "${clip(text)}"`,
  })
}
