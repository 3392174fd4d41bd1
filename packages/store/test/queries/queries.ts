import { type JsonObject, withTexts } from '@muster/contract'
import { type Expression, parseQuery } from '@muster/query'
import type { Page, PageRequest } from '../../src/postgres/page.ts'
import type { Db } from '../../src/postgres/sql.ts'
import { queryDeviceJobs } from '../../src/queries/device-jobs.ts'
import { runQuery } from '../../src/queries/query.ts'

/** A page as a client reads it. */
interface ReadPage {
  readonly items: readonly JsonObject[]
  readonly continuation: string | null
}

/** A page of a query, by default all of it. */
export async function ask(
  db: Db,
  text: string,
  { limit = 1000, after = null as string | null } = {},
): Promise<ReadPage> {
  return read(await runQuery(db, parseQuery(text), { limit, after, write: withTexts }))
}

/** A page of device jobs. */
export async function askDeviceJobs(db: Db, where: Expression | null, request: PageRequest): Promise<ReadPage> {
  return read(await queryDeviceJobs(db, where, { ...request, write: withTexts }))
}

function read({ items, continuation }: Page): ReadPage {
  return { items: items.map((text) => JSON.parse(text)), continuation }
}

/** The pages of a query, one after the other; `meanwhile` happens between two of them. */
export async function askPages(
  db: Db,
  text: string,
  limit: number,
  meanwhile: (page: number) => Promise<unknown> = async () => {},
): Promise<(readonly JsonObject[])[]> {
  const pages: (readonly JsonObject[])[] = []
  let after: string | null = null
  do {
    if (after !== null) await meanwhile(pages.length)
    const page: ReadPage = await ask(db, text, { limit, after })
    pages.push(page.items)
    after = page.continuation
  } while (after !== null)
  return pages
}

export function idsOf(items: readonly JsonObject[]): (JsonObject[string] | undefined)[] {
  return items.map((item) => item.deviceId)
}
