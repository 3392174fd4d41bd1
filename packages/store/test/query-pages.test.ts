import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Db, rows } from '../src/sql.ts'
import { openStore } from './engine.ts'
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

describe('the pages of a select list that repeats long members', () => {
  beforeAll(async () => {
    await rows(
      db,
      sql`
      with registered as (
        insert into devices (device_id, generation_id, created_at)
        select 'long-' || n || part, '1', now()
          from generate_series(1, 5) as n, unnest(array['', '/module']) as part
         order by n, part
        returning device_id)
      insert into twins (device_id, desired)
      select device_id, jsonb_build_object('text', repeat('x', 1000000)) from registered`,
    )
  })

  it.each([
    ['devices', 'deviceId'],
    ['devices.modules', 'deviceId, moduleId'],
  ])('Q29 of %s end early, and leave out none', async (source, ids) => {
    const items = Array.from({ length: 15 }, (_, n) => `properties.desired.text AS text${n}`)

    const pages = await askPages(db, `SELECT ${ids}, ${items} FROM ${source} WHERE STARTSWITH(deviceId, 'long-')`, 5)

    expect(pages.map((page) => page.map(({ deviceId }) => deviceId))).toEqual([
      ['long-1', 'long-2', 'long-3'],
      ['long-4', 'long-5'],
    ])
  })
})
