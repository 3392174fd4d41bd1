import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Db, rows } from '../../src/postgres/sql.ts'
import { openStore } from '../jobs/engine.ts'
import { askPages } from './queries.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

/** 30,000 twins; of one site, 600 are at the beginning and 300 at the end, of another each hundredth. */
beforeAll(async () => {
  store = await openStore()
  db = store.db
  await rows(
    db,
    sql`
    with registered as (
      insert into devices (device_id, generation_id, created_at)
      select 'device-' || lpad(n::text, 5, '0'), '1', now() from generate_series(1, 30000) as n
      returning device_id, right(device_id, 5)::int as n)
    insert into twins (device_id, tags)
    select device_id,
           jsonb_build_object('n', n, 'odd', n % 2 = 1) ||
           case when n <= 600 or n > 29700 then jsonb '{"site": "ends"}' else '{}' end ||
           case when n % 100 = 0 then jsonb '{"site": "all over"}' else '{}' end
      from registered`,
  )
  await db.execute(sql`vacuum analyze devices, twins`)
})
afterAll(() => store[Symbol.asyncDispose]())

async function expectedOf(condition: ReturnType<typeof sql>): Promise<unknown[]> {
  const expected = await rows(db, sql`select device_id as "deviceId" from twins where ${condition} order by device_id`)
  return expected
}

describe('the pages of a query over many devices', () => {
  it.each([
    ['everything', '1 = 1', sql`true`, 1000],
    ['every other', 'tags.odd', sql`tags @> '{"odd": true}'`, 1000],
    ['few, all over', "tags.site = 'all over'", sql`tags @> '{"site": "all over"}'`, 7],
    ['a stretch and another, far away', "tags.site = 'ends'", sql`tags @> '{"site": "ends"}'`, 50],
    ['by no index', 'tags.n % 5000 = 1', sql`(tags->>'n')::int % 5000 = 1`, 2],
    ['the last one', 'tags.n > 29999', sql`(tags->>'n')::int > 29999`, 100],
    [
      'listed',
      "deviceId IN ['device-30000', 'device-00001', 'nobody']",
      sql`device_id in ('device-00001', 'device-30000')`,
      1,
    ],
    ['nothing', "tags.site = 'nowhere'", sql`false`, 100],
  ])('Q29 meet each match once, in order: %s', async (_, condition, expected, limit) => {
    const pages = await askPages(db, `SELECT deviceId FROM devices WHERE ${condition}`, limit)

    expect(pages.flat()).toEqual(await expectedOf(expected))
    expect(pages.slice(0, -1).every((page) => page.length === limit)).toBe(true)
  })
})

describe('Q31 the pages of large twins', () => {
  // Each has a megabyte of text, and is much smaller in the table, where it is compressed.
  beforeAll(async () => {
    await rows(
      db,
      sql`
      with registered as (
        insert into devices (device_id, generation_id, created_at)
        select 'long-' || n || part, '1', now()
          from generate_series(1, 9) as n, unnest(array['', '/module']) as part
         order by n, part
        returning device_id)
      insert into twins (device_id, desired)
      select device_id, jsonb_build_object('text', repeat('x', 1000000)) from registered`,
    )
  })

  async function pagesOf(select: string, source: string): Promise<string> {
    const pages = await askPages(db, `SELECT ${select} FROM ${source} WHERE STARTSWITH(deviceId, 'long-')`, 1000)
    return pages.map((page) => page.map(({ deviceId }) => String(deviceId).slice('long-'.length)).join('')).join(' ')
  }

  const twice = 'properties.desired.text AS text1, properties.desired.text AS text2'
  const often = Array.from({ length: 15 }, (_, n) => `properties.desired.text AS text${n}`).join()

  it.each(['devices', 'devices.modules'])('FROM %s end early, and leave out none', async (source) => {
    expect(await pagesOf('*', source)).toBe('12345 6789')
    expect(await pagesOf('TOP 7 *', source)).toBe('12345 67')
    expect(await pagesOf(`deviceId, ${twice}`, source)).toBe('123 456 789')
    expect(await pagesOf(`deviceId, ${often}`, source)).toBe('1 2 3 4 5 6 7 8 9')
  })

  it.each(['devices', 'devices.modules'])('FROM %s are whole where little is shown of them', async (source) => {
    expect(await pagesOf('deviceId', source)).toBe('123456789')
  })
})
