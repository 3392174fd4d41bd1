import { evaluate } from '@muster/query'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { previewTarget } from '../../src/jobs/start/preview-target.ts'
import { type Db, rows } from '../../src/postgres/sql.ts'
import { listDevices } from '../../src/registry/devices.ts'
import { deleteIdentities } from '../../src/registry/identities.ts'
import { openSession } from '../../src/sessions/sessions.ts'
import { deviceId, givenDevice, givenGateway, givenModules } from '../fleet.ts'
import { givenJob, on, openStore, read, start } from '../jobs/engine.ts'
import { conditionsAbout, whereOf } from './conditions.ts'
import { ask, askPages, idsOf } from './queries.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
  await givenDevice(db, 'pump', { tags: { site: 'north' } })
  await givenDevice(db, 'pump-b', { tags: { site: 'north' } })
  await givenDevice(db, 'pump.c')
  await givenModules(db, {
    'pump/filter': { tags: { site: 'north' }, desired: { limit: 3 } },
    'pump/Motor': { tags: { site: 'south' } },
    'pump-b/motor': { tags: { site: 'north' } },
  })
  const gatewayId = await givenGateway(db, 'gateway-1')
  await openSession(db, { identity: deviceId('pump'), gatewayId, clean: true }, on('13:00:00'))
})
afterAll(() => store[Symbol.asyncDispose]())

describe('a query over modules', () => {
  it('gives whole twins with their module ids, and without capabilities', async () => {
    const { items } = await ask(db, "SELECT * FROM devices.modules WHERE moduleId = 'filter'")

    expect(items).toMatchObject([{ deviceId: 'pump', moduleId: 'filter', tags: { site: 'north' } }])
    expect(items[0]).toMatchObject({ properties: { desired: { limit: 3 } } })
    expect(Object.keys(items[0] ?? {})).toEqual([
      'deviceId',
      'moduleId',
      'etag',
      'deviceEtag',
      'status',
      'statusUpdateTime',
      'connectionState',
      'lastActivityTime',
      'cloudToDeviceMessageCount',
      'authenticationType',
      'x509Thumbprint',
      'modelId',
      'version',
      'tags',
      'properties',
    ])
  })

  it('Q4 finds the modules of a device that is named as a member of devices', async () => {
    for (const member of ['devices.deviceId', 'DEVICES.DeviceId', 'devices.modules.deviceId', 'deviceId']) {
      const { items } = await ask(db, `SELECT * FROM devices.modules WHERE ${member} = 'pump'`)

      expect(items).toMatchObject([{ moduleId: 'Motor' }, { moduleId: 'filter' }])
    }
  })

  it('Q29 is ordered by device ids, then module ids, page by page', async () => {
    const pages = await askPages(db, 'SELECT deviceId, moduleId FROM devices.modules', 1)

    // By their keys, `pump-b/motor` would come before `pump/Motor`.
    expect(pages.flat()).toEqual([
      { deviceId: 'pump', moduleId: 'Motor' },
      { deviceId: 'pump', moduleId: 'filter' },
      { deviceId: 'pump-b', moduleId: 'motor' },
    ])
  })

  it('selects by every member that a twin shows, as the reference evaluator does', async () => {
    const { items } = await ask(db, 'SELECT * FROM devices.modules')
    const conditions = new Set(items.flatMap(conditionsAbout))

    for (const condition of conditions) {
      const selected = await ask(db, `SELECT * FROM devices.modules WHERE ${condition}`)
      const expected = items.filter((twin) => evaluate(whereOf('devices.modules', condition), twin))
      expect(selected.items, condition).toEqual(expected)
    }
  })

  it.each(['pump', 'pump/', 'pump/a/b'])('refuses %j, a position that no page gave', async (after) => {
    await expect(ask(db, 'SELECT * FROM devices.modules', { after })).rejects.toMatchObject({ code: 'ArgumentInvalid' })
  })
})

describe('what is about devices leaves modules out:', () => {
  const everyDevice = ['pump', 'pump-b', 'pump.c']

  it('queries', async () => {
    expect(idsOf((await ask(db, 'SELECT * FROM devices')).items)).toEqual(everyDevice)
    expect(idsOf((await ask(db, "SELECT * FROM devices WHERE tags.site = 'north'")).items)).toEqual(['pump', 'pump-b'])
    expect(idsOf((await ask(db, "SELECT * FROM devices WHERE deviceId = 'pump/filter'")).items)).toEqual([])
    expect(idsOf((await ask(db, 'SELECT * FROM devices WHERE is_defined(moduleId)')).items)).toEqual([])
    expect((await ask(db, 'SELECT COUNT() AS n FROM devices')).items).toEqual([{ n: 3 }])
  })

  it('the list', async () => {
    expect((await listDevices(db, 2)).map((device) => device.identity)).toEqual(['pump', 'pump-b'])
    expect((await listDevices(db, 10)).map((device) => device.identity)).toEqual(everyDevice)
  })

  it.each([
    ['*', 3],
    ["tags.site = 'north'", 2],
    ["deviceId = 'pump'", 1],
    ["deviceId IN ['pump', 'pump/filter']", 1],
    ["STARTSWITH(deviceId, 'pump/')", 0],
  ])('jobs, and their previews, over %s', async (queryCondition, count) => {
    const target = { kind: 'condition', queryCondition } as const
    const job = await givenJob(db, { target, queryCondition })

    const preview = await previewTarget(db, target)
    const started = await start(db, job.key)

    expect(preview.deviceCount).toBe(count)
    expect(started).toMatchObject({ deviceCount: count })
    expect((await read(db, job)).statistics).toMatchObject({ deviceCount: count })
  })
})

describe('a module', () => {
  it('goes with its device', async () => {
    await givenDevice(db, 'short-lived')
    await givenModules(db, { 'short-lived/module': {} })

    await deleteIdentities(db, ['short-lived'])

    expect(await rows(db, sql`select from twins where device_id like 'short%'`)).toEqual([])
  })

  it('needs a device', async () => {
    await expect(givenModules(db, { 'nobody/module': {} })).rejects.toThrow()
  })
})
