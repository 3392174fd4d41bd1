import { HubError, type JobId, type JsonObject, type MemberTexts, withTexts } from '@muster/contract'
import { type DeviceFilter, type DevicePage, readDevicePage } from '@muster/store'
import type { ApiContext, Deps } from '../http/endpoint.ts'
import { jobNotFound } from '../jobs/jobs.ts'
import { csvHead, csvLine } from './csv.ts'
import { type FilePage, streamFile } from './file-stream.ts'

/** What a file has before its rows, and for each row. */
const formats = {
  csv: { type: 'text/csv; charset=utf-8; header=present', head: csvHead, line: csvLine },
  ndjson: {
    type: 'application/x-ndjson; charset=utf-8',
    head: '',
    // An answer is as its device wrote it, which may be over several lines: between its tokens, since no JSON string holds a line break.
    line: (row: JsonObject, texts?: MemberTexts) => `${withTexts(row, texts).replaceAll(/[\r\n]/g, ' ')}\n`,
  },
} as const

export type FileFormat = keyof typeof formats

export const fileFormats = ['csv', 'ndjson'] as const

export function isFileFormat(text: string): text is FileFormat {
  return fileFormats.some((format) => format === text)
}

/** The chunks that are read for a page are read as a whole: larger pages are faster, up to this size. They are bounded by 4 MiB, too. */
const rowsPerPage = 4_000

/** Each holds two pages at most, so all of them take 64 MiB; and one runs statements most of the time, if its reader is fast. */
const filesAtOnce = 8
const tryAgainMs = 5_000

interface FileRequest {
  readonly jobId: JobId
  readonly filter: DeviceFilter
  readonly format: FileFormat
  readonly write: (row: JsonObject) => JsonObject
}

/** Sends the devices of a job as files, a few at once. */
export function createFiles(deps: Pick<Deps, 'db' | 'events'>): {
  /** @throws HubError JobNotFound, and ServiceUnavailable when too many are sent now */
  send(c: ApiContext, request: FileRequest): Promise<Response>
} {
  let open = 0
  const close = () => {
    open -= 1
  }
  return {
    async send(c, request) {
      if (open >= filesAtOnce) throw tooMany()
      open += 1
      try {
        const first = await readPage(deps.db, request, null)
        if (c.req.method === 'HEAD') {
          close()
          return new Response(null, { headers: headersOf(request) })
        }
        const trackingId = c.get('trackingId')
        const onBroken = (error: unknown) => deps.events.requestFailed({ trackingId, error })
        return new Response(streamFile(first, { onBroken, onOver: close }), { headers: headersOf(request) })
      } catch (error) {
        close()
        throw error
      }
    },
  }
}

/** Each page is a snapshot of its own. Rows have a fixed order, so that each is in one page, whatever happens to the job meanwhile. */
async function readPage(db: Deps['db'], request: FileRequest, before: DevicePage | null): Promise<FilePage> {
  const { head, line } = formats[request.format]
  const page = await readDevicePage(db, request.jobId, request.filter, {
    limit: rowsPerPage,
    after: before?.continuation ?? null,
    write: (row, texts) => line(request.write(row), texts),
    withCounts: false,
  })
  // Its history may be over, and the id in use again.
  if (page === null || (before !== null && page.jobKey !== before.jobKey)) throw jobNotFound(request.jobId)
  return {
    text: `${before === null ? head : ''}${page.items.join('')}`,
    next: page.continuation === null ? null : () => readPage(db, request, { ...page, items: [] }),
  }
}

/** A job id has characters that a file name must not have, or that a header would need quotes for. */
function headersOf({ jobId, format }: FileRequest): Readonly<Record<string, string>> {
  return {
    'content-type': formats[format].type,
    'content-disposition': `attachment; filename="devices-of-${jobId.replaceAll(/[^\w.-]/g, '_')}.${format}"`,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  }
}

function tooMany(): HubError {
  return new HubError('ServiceUnavailable', {
    message: `this process sends ${filesAtOnce} files of devices already; try again when one is done`,
    retryAfterMs: tryAgainMs,
  })
}
