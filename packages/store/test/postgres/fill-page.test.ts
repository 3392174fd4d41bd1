import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fillPage, type NextRows, pageBytes } from '../../src/postgres/fill-page.ts'
import type { Page } from '../../src/postgres/page.ts'
import { type Db, rows } from '../../src/postgres/sql.ts'
import { openStore } from '../jobs/engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db
beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

interface Row {
  readonly n: number
  readonly filling: string
}

/** Rows `from` to `to`; each tenth is of `largest` bytes, the others of a few. */
function part(from: number, to: number, largest: number): NextRows<Row> {
  return (last, count) => sql`
    select n, repeat('x', case when n % 10 = 0 then ${largest}::int else 10 end) as filling
      from generate_series(${last === null ? from : last.n + 1}::int, ${to}::int) as n
     order by n
     limit ${count}`
}

/** A page of such rows, with what each statement gave, in bytes. */
async function pageOf(
  parts: readonly NextRows<Row>[],
  limit: number,
  source: { write?: (row: Row) => string; isSelective?: boolean; atOnce?: number } = {},
): Promise<Page & { readonly read: readonly number[] }> {
  const read: number[] = []
  const page = await fillPage<Row>(
    async (statement) => {
      const found = await rows<never>(db, statement)
      read.push(JSON.stringify(found).length)
      return found
    },
    limit,
    { parts, size: sql`octet_length(filling)`, write: JSON.stringify, placeOf: ({ n }) => String(n), ...source },
  )
  return { ...page, read }
}

describe('Q31 a page', () => {
  it.each([
    ['of fewer rows than it may have', 999, { rows: 998, continuation: null }],
    ['of as many rows as it may have', 998, { rows: 998, continuation: null }],
    ['of the first so many rows', 997, { rows: 997, continuation: '997' }],
    ['of one row', 1, { rows: 1, continuation: '1' }],
  ])('%s has them all', async (_, limit, expected) => {
    const { items, continuation } = await pageOf([part(1, 500, 10), part(501, 500, 10), part(501, 998, 10)], limit)

    expect({ rows: items.length, continuation }).toEqual(expected)
    expect(items.map((text) => JSON.parse(text).n)).toEqual(
      Array.from({ length: expected.rows }, (_, index) => index + 1),
    )
  })

  it.each([
    ['within a part', [part(1, 2000, 100_000)]],
    ['over many parts', Array.from({ length: 100 }, (_, index) => part(index * 20 + 1, index * 20 + 20, 100_000))],
  ])('ends %s with the row that goes beyond 4 MiB, and no more is read', async (_, parts) => {
    const { items, continuation, read } = await pageOf(parts, 1000)

    // 42 rows of 100,000 bytes are more than 4 MiB.
    expect([items.length, continuation]).toEqual([420, '420'])
    expect(read.reduce((sum, bytes) => sum + bytes)).toBeLessThan(pageBytes + 200_000)
  })

  it('has no continuation when the row that goes beyond is the last of all', async () => {
    const { items, continuation } = await pageOf([part(1, 420, 100_000)], 1000)

    expect([items.length, continuation]).toEqual([420, null])
  })

  it('has one row that is larger than it may be', async () => {
    const first = await pageOf([part(10, 20, 5_000_000)], 1000)
    const last = await pageOf([part(20, 20, 5_000_000)], 1000)

    expect([first.items.length, first.continuation]).toEqual([1, '10'])
    expect([last.items.length, last.continuation]).toEqual([1, null])
  })

  it('of little that is written of much is long, and never much is read at once', async () => {
    const { items, read } = await pageOf([part(1, 1000, 100_000)], 1000, {
      write: ({ n }) => String(n),
      isSelective: true,
    })

    expect(items).toHaveLength(1000)
    expect(Math.max(...read)).toBeLessThan(pageBytes + 200_000)
  })

  it('of little that is written of very much ends when 32 MiB are read', async () => {
    const { items, continuation } = await pageOf([part(1, 1000, 1_000_000)], 1000, {
      write: ({ n }) => String(n),
      isSelective: true,
    })

    // Every portion has five rows of 1,000,000 bytes; seven are more than 32 MiB.
    expect([items.length, continuation]).toEqual([350, '350'])
  })

  it('of much that is written of little ends by what is written', async () => {
    const write = ({ n }: Row) => JSON.stringify({ n, text: 'x'.repeat(1_000_000) })

    const { items, continuation } = await pageOf([part(1, 1000, 10)], 1000, { write, atOnce: 1001 })

    expect([items.length, continuation]).toEqual([5, '5'])
  })
})
