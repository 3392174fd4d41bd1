import type { JsonObject } from '@muster/contract'
import { evaluate } from '@muster/query'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { insertDevices } from '../src/devices.ts'
import { type Page, queryDevices, selectPage } from '../src/query.ts'
import { withinQueryTime } from '../src/query-time.ts'
import { openSession } from '../src/sessions.ts'
import { type Db, rows } from '../src/sql.ts'
import { patchReported, patchTwin } from '../src/twins.ts'
import { conditionsAbout, whereOf } from './conditions.ts'
import { noon, on, openStore } from './engine.ts'
import { deviceId, draft, givenGateway } from './fleet.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
  await givenFleet()
})
afterAll(() => store[Symbol.asyncDispose]())

const everything = { limit: 1000, after: null }

async function givenFleet(): Promise<void> {
  const thumbprints = { primaryKey: null, secondaryKey: null, primaryThumbprint: 'A1', secondaryThumbprint: null }
  await insertDevices(
    db,
    [
      draft('b-pump', { tags: { site: 'north', floor: 3, "o'neil": { 'line-no': '7' } }, desired: { interval: 60 } }),
      draft('a-pump', { statusReason: 'in repair', status: 'disabled', tags: { site: 'south', floor: '3' } }),
      draft('Gate:1', { isEdge: true, authentication: { type: 'selfSigned', ...thumbprints } }),
    ],
    noon,
  )
  const gatewayId = await givenGateway(db, 'gateway-1')
  await openSession(db, { deviceId: deviceId('b-pump'), gatewayId, clean: true }, on('13:00:00'))
  await patchReported(
    db,
    deviceId('b-pump'),
    { fw: '2.1', ok: true, net: { rssi: -70.5 } },
    { version: null },
    on('14:00:00'),
  )
  await patchTwin(db, deviceId('a-pump'), { desired: { mode: 'eco' } }, { etag: null }, on('15:00:00'))
}

describe('a query over devices', () => {
  it('gives all twins in ordinal order of their ids', async () => {
    const { items, continuation } = await queryDevices(db, null, everything)

    expect(idsOf(items)).toEqual(['Gate:1', 'a-pump', 'b-pump'])
    expect(continuation).toBeNull()
  })

  it('selects by every member that a twin shows, as the reference evaluator does', async () => {
    const { items } = await queryDevices(db, null, everything)
    const conditions = new Set(items.flatMap(conditionsAbout))

    for (const condition of conditions) {
      const where = whereOf('devices', condition)
      const selected = await queryDevices(db, where, everything)
      expect(idsOf(selected.items), condition).toEqual(idsOf(items.filter((twin) => evaluate(where, twin))))
    }
  })

  it('goes on where a page ended, also when a device came or went meanwhile', async () => {
    const first = await queryDevices(db, null, { limit: 2, after: null })
    await insertDevices(db, [draft('A-new'), draft('b-new')], noon)

    const second = await queryDevices(db, null, { limit: 2, after: first.continuation })

    expect([idsOf(first.items), idsOf(second.items)]).toEqual([
      ['Gate:1', 'a-pump'],
      ['b-new', 'b-pump'],
    ])
    expect(second.continuation).toBeNull()
  })

  it('has 10 seconds, changes nothing, and ends with a HubError when they are over', async () => {
    const settings = await withinQueryTime(db, (tx) =>
      rows(
        tx,
        sql`select current_setting('statement_timeout') as time, current_setting('transaction_read_only') as is_read_only`,
      ),
    )
    const tooLong = withinQueryTime(db, async (tx) => {
      await rows(tx, sql`set local statement_timeout = '20ms'`)
      return rows(tx, sql`select pg_sleep(60)`)
    })

    expect(settings).toEqual([{ time: '10s', is_read_only: 'on' }])
    await expect(tooLong).rejects.toMatchObject({ code: 'GatewayTimeout' })
  })
})

describe('the plan of a query over devices', () => {
  beforeAll(async () => {
    await rows(
      db,
      sql`
      with registered as (
        insert into devices (device_id, generation_id, created_at)
        select 'planned-' || lpad(n::text, 6, '0'), '1', now() from generate_series(1, 20000) as n
        returning device_id)
      insert into twins (device_id, tags)
      select device_id, jsonb_build_object('building', right(device_id, 2)::int, 'floor', right(device_id, 1)::int)
        from registered`,
    )
    await db.execute(sql`vacuum analyze twins`)
  })

  it.each([
    ['an equality of a tag', 'tags.building = 43', 'twins_tags'],
    [
      'equalities of tags among other conditions',
      "tags.building = 43 AND tags.floor = 3 AND status = 'enabled'",
      'twins_tags',
    ],
    ['a device id', "deviceId = 'planned-000043'", 'twins_pkey'],
    ['a list of device ids', "deviceId IN ['planned-000043', 'planned-000044']", 'twins_pkey'],
  ])('finds %s by its index', async (_, condition, index) => {
    const plan = await rows<{ 'QUERY PLAN': string }>(
      db,
      sql`explain ${selectPage(whereOf('devices', condition), { limit: 100, after: null })}`,
    )

    const text = plan.map((row) => row['QUERY PLAN']).join('\n')
    expect(text).toContain(index)
    expect(text).not.toMatch(/Seq Scan on twins/)
  })
})

function idsOf(items: Page['items']): (JsonObject[string] | undefined)[] {
  return items.map((twin) => twin.deviceId)
}
