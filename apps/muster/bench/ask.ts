import { check, figure, type Measuring } from './figures.ts'
import type { BenchHub, Reply } from './hub.ts'

/** A page of a query. */
export interface Question {
  readonly query: string
  /** 100 by default. */
  readonly pageSize?: number
  /** The token of the page; the first without. */
  readonly after?: string | null
}

type Row = Readonly<Record<string, unknown>>

/** Measures one page, which must have so many rows, and returns it. */
export async function measurePage(
  hub: BenchHub,
  name: string,
  question: Question & { readonly rows: number },
  measuring: Measuring,
): Promise<readonly Row[]> {
  const reply = await figure(name, measuring, () => ask(hub, question))
  const page: readonly Row[] = JSON.parse(reply.text)
  check(page.length === question.rows, `the page has ${page.length} rows, and not ${question.rows}`)
  return page
}

/** The token of the page that begins after so many rows. */
export async function tokenAfter(hub: BenchHub, query: string, rows: number): Promise<string | null> {
  let after: string | null = null
  for (let left = rows; left > 0; left -= Math.min(left, 1000)) {
    const reply: Reply = await ask(hub, { query, pageSize: Math.min(left, 1000), after })
    after = reply.continuation
  }
  return after
}

export function ask(hub: BenchHub, { query, pageSize = 100, after = null }: Question): Promise<Reply> {
  return hub.request('POST', '/devices/query', {
    body: { query },
    headers: { 'x-ms-max-item-count': String(pageSize), ...(after === null ? {} : { 'x-ms-continuation': after }) },
  })
}
