import type { JsonObject } from '@muster/contract'
import { parseQuery } from '@muster/query'
import type { Page } from '../src/page.ts'
import { runQuery } from '../src/query.ts'
import type { Db } from '../src/sql.ts'

/** A page of a query, by default all of it. */
export function ask(db: Db, text: string, { limit = 1000, after = null as string | null } = {}): Promise<Page> {
  return runQuery(db, parseQuery(text), { limit, after })
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
    const page: Page = await ask(db, text, { limit, after })
    pages.push(page.items)
    after = page.continuation
  } while (after !== null)
  return pages
}

export function idsOf(items: Page['items']): (JsonObject[string] | undefined)[] {
  return items.map((item) => item.deviceId)
}
