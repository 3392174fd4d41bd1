import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Db, embed, rows, texts } from '../../src/postgres/sql.ts'
import { openStore } from '../jobs/engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

describe('a statement', () => {
  it('returns times and large numbers as text, and the rest as JavaScript has it', async () => {
    const [row] = await rows(
      db,
      sql`
      select timestamptz '0001-01-01 00:00:00.5Z' as instant,
             date '2026-03-02' as day,
             array[date '2026-03-02'] as days,
             interval '1 day' as span,
             9007199254740993::bigint as large,
             array[9007199254740993::bigint] as larges,
             1.50::numeric as exact,
             count(*) as counted,
             7::int as small,
             array[7, null]::int[] as smalls,
             0.5::float8 as float,
             true as flag,
             array['a', null, 'NULL', '', '{"b\\c"}'] as words,
             '{"a": [1, null]}'::json as json,
             '{"a": [1, null]}'::jsonb as jsonb,
             null as nothing`,
    )

    expect(row).toEqual({
      instant: '0001-01-01 00:00:00.5+00',
      day: '2026-03-02',
      days: '{2026-03-02}',
      span: '1 day',
      large: '9007199254740993',
      larges: ['9007199254740993'],
      exact: '1.50',
      counted: '1',
      small: 7,
      smalls: [7, null],
      float: 0.5,
      flag: true,
      words: ['a', null, 'NULL', '', '{"b\\c"}'],
      json: { a: [1, null] },
      jsonb: { a: [1, null] },
      nothing: null,
    })
  })

  it('takes any list of texts as one parameter', async () => {
    const text = fc.string({ unit: fc.constantFrom('a', '"', "'", '\\', '{', '}', ',', ' ', '\n', 'NULL', 'ä', '😀') })
    await fc.assert(
      fc.asyncProperty(fc.array(text), async (values) => {
        expect(await rows(db, sql`select ${texts(values)} as values`)).toEqual([{ values }])
      }),
    )
  })

  it('takes the values of a condition as parameters, lists of them too', async () => {
    const values = ["it's", -1.5, true, null, ['a"b\\', 'NULL'], [0.25, 3]]
    const strings = [
      '',
      '::text as a, ',
      '::float8 as b, ',
      '::bool as c, ',
      '::text as d, ',
      '::text[] as e, ',
      '::float8[] as f',
    ]

    expect(await rows(db, sql`select ${embed({ strings, values })}`)).toEqual([
      { a: "it's", b: -1.5, c: true, d: null, e: ['a"b\\', 'NULL'], f: [0.25, 3] },
    ])
  })
})
