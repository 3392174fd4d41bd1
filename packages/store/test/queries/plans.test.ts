import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { matchingDevices } from '../../src/jobs/start/target-devices.ts'
import { type Db, rows } from '../../src/postgres/sql.ts'
import { twinSources } from '../../src/queries/twin-sources.ts'
import { selectKeys, selectNearKeys } from '../../src/queries/twins.ts'
import { openStore } from '../jobs/engine.ts'
import { whereOf } from './conditions.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
  await givenLargeFleet()
})
afterAll(() => store[Symbol.asyncDispose]())

/** 20,000 devices, of which 20 are disabled and 20 others are connected, and 400 modules; a twin has about a kilobyte. */
async function givenLargeFleet(): Promise<void> {
  await rows(
    db,
    sql`
    with registered as (
      insert into devices (device_id, generation_id, created_at, status)
      select id, '1', now(), case when n % 1000 = 1 then 'disabled' else 'enabled' end
        from (select n, 'device-' || lpad(n::text, 6, '0') as id from generate_series(1, 20000) as n) as device
       union all
      select 'device-' || lpad(n::text, 6, '0') || '/module-' || m, '1', now(), 'enabled'
        from generate_series(1, 200) as n, generate_series(1, 2) as m
      returning device_id),
    connected as (
      insert into sessions (device_id, gateway_id, state_updated_at, last_activity_at)
      select device_id, case when device_id like '%002' then 'gateway-1' end, now(), now() from registered)
    insert into twins (device_id, tags, reported)
    select device_id,
           jsonb_build_object('building', right(device_id, 2)::int, 'floor', right(device_id, 1)::int),
           jsonb_build_object('log', repeat('x', 700))
      from (select device_id from registered where strpos(device_id, '/') = 0) as device
     union all
    select device_id, '{"building": 1}', '{}' from registered where strpos(device_id, '/') > 0`,
  )
  await db.execute(sql`vacuum analyze devices, twins, sessions`)
}

async function planOf(statement: ReturnType<typeof selectKeys>, on = db): Promise<string> {
  const lines = await rows<{ 'QUERY PLAN': string }>(on, sql`explain ${statement}`)
  return lines.map((line) => line['QUERY PLAN']).join('\n')
}

const deviceIds = Array.from({ length: 400 }, (_, n) => `'device-${String(n).padStart(6, '0')}'`)

describe.each([
  ['a device id', "deviceId = 'device-000043'", ['twins_pkey']],
  ['a long list of device ids', `deviceId IN [${deviceIds.join()}]`, ['twins_pkey']],
  ['a beginning of device ids', "STARTSWITH(deviceId, 'device-00004')", ['twins_pkey']],
  ['an equality of a tag', 'tags.building = 43', ['twins_tags']],
  ['a list of values of a tag', 'tags.building IN [43, 44]', ['twins_tags']],
  [
    'equalities of tags',
    "tags.building = 43 AND tags.floor = 3 AND status = 'enabled'",
    ['twins_tags', 'devices_pkey'],
  ],
  ['one of two tags', 'tags.building = 43 OR tags.building = 44', ['twins_tags']],
  ['those who are connected', "connectionState = 'Connected'", ['sessions_by_gateway', 'twins_pkey']],
  ['those who are disabled', "status = 'disabled'", ['devices_disabled', 'twins_pkey']],
])('the plan of a search for %s', (_, condition, indexes) => {
  const where = () => whereOf('devices', condition)

  it('uses indexes, for a page as for a job', async () => {
    const page = await planOf(selectKeys(twinSources.devices, where(), { limit: 100, after: 'device-000001' }))
    const job = await planOf(matchingDevices(where()))

    for (const plan of [page, job]) {
      for (const index of indexes) expect(plan).toContain(index)
      expect(plan).not.toContain('Seq Scan')
    }
  })

  it('looks up the next twins one by one before that', async () => {
    const plan = await planOf(selectNearKeys(twinSources.devices, where(), { limit: 100, after: null }, 2000))

    expect(plan).toMatch(/Index (Only )?Scan using twins_pkey/)
    expect(plan).not.toMatch(/Seq Scan|Bitmap|Hash|Sort/)
  })
})

describe.each([
  ['modules of a device', "deviceId = 'device-000043'", 'twins_modules'],
  ['a module of a device', "deviceId = 'device-000043' AND moduleId = 'module-1'", 'twins_modules'],
])('the plan of a search for %s', (_, condition, index) => {
  it('uses their index', async () => {
    const where = whereOf('devices.modules', condition)
    const near = await planOf(selectNearKeys(twinSources['devices.modules'], where, { limit: 100, after: 'a/b' }, 2000))
    const page = await planOf(selectKeys(twinSources['devices.modules'], where, { limit: 100, after: 'a/b' }))

    for (const plan of [near, page]) {
      expect(plan).toContain(index)
      expect(plan).not.toContain('Seq Scan')
    }
  })
})

it('the plan of a job for all devices can do with their keys alone', async () => {
  const plan = await db.transaction(async (tx) => {
    // Whether it does is a matter of the last vacuum, which any open transaction of the server may have kept from its work.
    await tx.execute(sql`set local enable_seqscan = off; set local enable_bitmapscan = off`)
    return planOf(matchingDevices(null), tx)
  })

  expect(plan).toContain('Index Only Scan using twins_pkey')
})
