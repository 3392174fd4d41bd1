import { type SQL, sql } from 'drizzle-orm'
import type { Page } from './page.ts'
import type { Search } from './query-time.ts'

/**
 * The size of a page. The row that reaches it is the last. A row may have more than 100 KB, and a page 1000 rows. The thread that
 * writes the page also serves other requests, and the devices if all roles are one process; 4 MiB take it 0.1 s. 1000 ordinary twins
 * of 1 to 4 KB still fit into a page.
 */
export const pageBytes = 4 * 2 ** 20

/** The bytes that may be read for a page of which little is written. They are read in portions of `pageBytes`. */
const selectiveBytes = 8 * pageBytes

/** Rows per statement while rows may be large, because Postgres measures all of them. A page of 100 and one more need one statement. */
const rowsAtOnce = 128

/** Rows in an order of their own, in columns that JSON has, too. */
interface RowSource<Row> {
  /** The parts of the order, one after the other. Each selects the next `count` rows after a row, or from its start. */
  readonly parts: Iterable<NextRows<Row>> | AsyncIterable<NextRows<Row>>
  /** The size of the large parts of a row, in bytes, as a cheap expression of its columns. At least as much as is read of it. */
  readonly size: SQL
  readonly write: (row: Row) => string
  /** The position after a row. */
  readonly placeOf: (row: Row) => string
  /** Little of a row may be written. Then the written bytes, or `selectiveBytes`, end a page early. */
  readonly isSelective?: boolean
  /** For statements that do the same work for few rows and for many. */
  readonly atOnce?: number
}

export type NextRows<Row> = (last: Row | null, count: number) => SQL

/** A partly filled page. `read`, `written`: bytes. `place`: after its last row. */
interface Draft {
  readonly items: string[]
  readonly limit: number
  read: number
  written: number
  place: string | null
}

/** A page of at most `limit` rows and `pageBytes`, and at least one row if there is one. */
export async function fillPage<Row>(search: Search, limit: number, source: RowSource<Row>): Promise<Page> {
  const page: Draft = { items: [], limit, read: 0, written: 0, place: null }
  for await (const next of source.parts) {
    if (await readPart(search, page, { ...source, next })) return { items: page.items, continuation: page.place }
  }
  return { items: page.items, continuation: null }
}

/** True when the page has no room for the next row, false when there is none in this part. */
async function readPart<Row>(
  search: Search,
  page: Draft,
  { next, size, write, placeOf, isSelective = false, atOnce = rowsAtOnce }: RowSource<Row> & { next: NextRows<Row> },
): Promise<boolean> {
  let last: Row | null = null
  for (let most = atOnce; ; ) {
    const count = Math.min(most, page.limit - page.items.length + 1)
    const { texts, isCut } = await firstRows(search, next(last, count), size, pageBytes - page.written)
    for (const text of texts) {
      if (isFull(page)) return true
      const row: Row = JSON.parse(text)
      const item = write(row)
      page.items.push(item)
      page.read += Buffer.byteLength(text)
      page.written += Buffer.byteLength(item)
      page.place = placeOf(row)
      last = row
    }
    if (isCut && (!isSelective || isFull(page) || page.read >= selectiveBytes)) return true
    if (!isCut && texts.length < count) return false
    most = isCut ? texts.length * 2 : Number.POSITIVE_INFINITY
  }
}

function isFull({ items, limit, written }: Draft): boolean {
  return items.length === limit || written >= pageBytes
}

/**
 * The first rows of a statement up to so many bytes, at least one, and whether it has more. A window without an order takes the rows
 * in the order of the statement.
 */
async function firstRows(
  search: Search,
  statement: SQL,
  size: SQL,
  bytes: number,
): Promise<{ readonly texts: readonly string[]; readonly isCut: boolean }> {
  const found = await search<{ text: string; has_next: boolean }>(sql`
    select row_to_json(measured)::text as text, has_next
      from (select found.*, sum(${size}) over before as bytes_before, lead(true, 1, false) over before as has_next
              from (${statement}) as found
            window before as (rows between unbounded preceding and 1 preceding)) as measured
     where bytes_before is null or bytes_before < ${bytes}`)
  return { texts: found.map(({ text }) => text), isCut: found.at(-1)?.has_next ?? false }
}
