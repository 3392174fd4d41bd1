import type { JsonObject, MemberTexts } from '@muster/contract'

/** The columns, in their order. A cell is empty where the row of a device has no such member. */
const columns = [
  'deviceId',
  'jobId',
  'jobType',
  'status',
  'startTimeUtc',
  'endTimeUtc',
  'createdDateTimeUtc',
  'lastUpdatedDateTimeUtc',
  'deliveries',
  'lastDeliveryTimeUtc',
  'errorCode',
  'errorDescription',
  'responseStatus',
  'responsePayload',
] as const

type Cells = Readonly<Partial<Record<(typeof columns)[number], unknown>>>

export const csvHead: string = `${columns.join()}\r\n`

/** The line of a device job, as RFC 4180 has it. The method that was called is left out: every line would repeat it. */
export function csvLine({ error, ...members }: JsonObject, { outcome }: MemberTexts = {}): string {
  const cells: Cells = { ...members, ...errorCells(error), ...responseCells(outcome ?? '') }
  return lineOf(columns.map((column) => String(cells[column] ?? '')))
}

function errorCells(error: unknown): Cells {
  if (typeof error !== 'object' || error === null) return {}
  return { errorCode: Reflect.get(error, 'code'), errorDescription: Reflect.get(error, 'description') }
}

/** Cut out of the text, because to parse the payload would round its numbers. A payload is JSON in its cell, so a text has its quotes. */
function responseCells(outcome: string): Cells {
  const [, status, payload] = /^\{"deviceMethodResponse":\{"status":(-?\d+),"payload":(.*)\}\}$/s.exec(outcome) ?? []
  if (status !== undefined) return { responseStatus: status, responsePayload: payload }
  return outcome === '{}' ? {} : { responsePayload: outcome }
}

function lineOf(cells: readonly string[]): string {
  return `${cells.map(cellOf).join()}\r\n`
}

/** What a spreadsheet takes for the beginning of a formula, also in full width; and the apostrophe, so that the first one is always ours. */
const risky = /^[=+\-@\t\r\n'\uff1d\uff0b\uff0d\uff20]/

/** A spreadsheet shows the cell without the apostrophe, and does not evaluate it. */
function cellOf(text: string): string {
  const safe = risky.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
