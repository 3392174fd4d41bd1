// biome-ignore-all lint/suspicious/noTemplateCurlyInString: so the parameters of a job are written
import { type DeviceId, type Extensions, type JsonObject, jobKey, parseDeviceId } from '@muster/contract'
import {
  type Connection,
  connect,
  type Db,
  deleteIdentities,
  insertIdentities,
  type LockedChunk,
  migrate,
  readTwin,
} from '@muster/store'
import { createDatabase, type TestDatabase, templateDatabase } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { operationOf, readPayloads } from '../src/index.ts'

let database: TestDatabase
let connection: Connection
let db: Db

beforeAll(async () => {
  const template = await templateDatabase(inject('databaseUrl'), 'migrated', migrate)
  database = await createDatabase(inject('databaseUrl'), { template })
  connection = connect({ url: database.url, poolSize: 4 })
  db = connection.db
})
afterAll(async () => {
  await connection.close()
  await database[Symbol.asyncDispose]()
})

const noon = new Date('2026-03-02T12:00:00Z')
const lastGenerationNo = 1_000_000

async function givenDevice(id: string, tags: JsonObject, reported: JsonObject = {}): Promise<DeviceId> {
  const keys = { primaryKey: 'cHJpbWFyeQ==', secondaryKey: 'c2Vjb25kYXJ5' }
  const authentication = { type: 'sas', ...keys, primaryThumbprint: null, secondaryThumbprint: null } as const
  const settings = { status: 'enabled', statusReason: null, isEdge: false, managedBy: null, parentScopes: [] } as const
  const identity = parseDeviceId(id)
  await insertIdentities(db, [{ identity, authentication, ...settings, tags }], noon)
  await db.execute(`update twins set reported = '${JSON.stringify(reported)}' where device_id = '${id}'`)
  return identity
}

async function tagsOf(deviceId: DeviceId) {
  return (await readTwin(db, deviceId))?.tags
}

describe('a twin job with parameters', () => {
  const operation = operationOf('scheduleUpdateTwin')
  if (operation.kind !== 'store') throw new TypeError('twins are updated in the store')

  const execute = (
    deviceIds: readonly DeviceId[],
    body: JsonObject,
    parameters: NonNullable<Extensions['parameters']> = {},
  ) => {
    const job = {
      key: jobKey(1),
      jobId: 'j1',
      type: 'scheduleUpdateTwin',
      week: '2026-03-02',
      body,
      extensions: { parameters },
      priority: 500,
      continuousCondition: null,
      lastGenerationNo,
      traceparent: null,
      isLimited: false,
      zones: null,
      rateFreeAt: null,
      startAt: new Date('2026-03-02'),
      deadlineAt: new Date('2026-03-03'),
    } as const
    const chunk: LockedChunk = { job, chunkNo: 0, deviceIds, claims: 0 }
    return db.transaction((tx) => operation.execute(tx, chunk, noon))
  }

  it('R97 gives each twin the values of its own device, also to both sections', async () => {
    const ids = [
      await givenDevice('a1', { floor: 1 }, { firmware: { version: '1.2' } }),
      await givenDevice('a2', { floor: 2 }, { firmware: { version: '1.3' } }),
    ]

    const { failures, desired } = await execute(ids, {
      tags: { label: '${deviceId} on ${tags.floor}', was: '${reported.firmware}' },
      properties: { desired: { level: '${tags.floor}' } },
    })

    expect(failures).toEqual([])
    expect(await Promise.all(ids.map(tagsOf))).toEqual([
      { floor: 1, label: 'a1 on 1', was: { version: '1.2' } },
      { floor: 2, label: 'a2 on 2', was: { version: '1.3' } },
    ])
    expect(desired.map(({ patch, versions }) => [patch, versions.map(({ identity }) => identity)])).toEqual([
      [{ level: 1 }, ['a1']],
      [{ level: 2 }, ['a2']],
    ])
  })

  it('R98 skips a device without the value, and leaves its twin as it is', async () => {
    const ids = [await givenDevice('s1', { floor: 1 }), await givenDevice('s2', {})]

    const { failures, skipped } = await execute(ids, { tags: { was: '${tags.floor}' } }, { onMissing: 'skip' })

    expect([failures, skipped]).toEqual([[], ['s2']])
    expect(await Promise.all(ids.map(tagsOf))).toEqual([{ floor: 1, was: 1 }, undefined])
  })

  it('R98 fails for a device without the value, by default, and leaves its twin as it is', async () => {
    const [has, lacks] = [await givenDevice('b1', { site: 'Ulm' }), await givenDevice('b2', { sites: { name: 1 } })]

    const { failures } = await execute([has, lacks], { tags: { copy: '${tags.site}' } })

    expect(failures).toEqual([
      {
        deviceId: lacks,
        error: {
          code: 'ArgumentInvalid',
          description: 'the twin of the device has no value for the parameter ${tags.site}',
        },
      },
    ])
    expect([await tagsOf(has), await tagsOf(lacks)]).toEqual([{ site: 'Ulm', copy: 'Ulm' }, { sites: { name: 1 } }])
  })

  it('R98 writes null for it if the job says so, which removes the member', async () => {
    const lacks = await givenDevice('c1', { copy: 'old', text: 'old' })

    const { failures } = await execute(
      [lacks],
      { tags: { copy: '${tags.site}', text: 'at ${tags.site}' } },
      { onMissing: 'null' },
    )

    expect(failures).toEqual([])
    expect(await tagsOf(lacks)).toEqual({ text: 'at null' })
  })

  it('R99 a patch that comes out as none that a caller may send fails for its device alone', async () => {
    const deep = { a: { b: { c: { d: { e: { f: { g: { h: 1 } } } } } } } }
    const [good, tooDeep, inList] = [
      await givenDevice('d1', { value: 1 }),
      await givenDevice('d2', { value: deep }),
      await givenDevice('d3', {}),
    ]

    const nested = await execute([good, tooDeep], { tags: { x: { y: { z: { w: '${tags.value}' } } } } })
    const listed = await execute([good, inList], { tags: { list: ['${tags.value}'] } }, { onMissing: 'null' })

    expect(nested.failures).toMatchObject([{ deviceId: tooDeep, error: { code: 'ArgumentInvalid' } }])
    expect(listed.failures).toMatchObject([
      { deviceId: inList, error: { description: 'tags.list[0]: null is not allowed inside a list' } },
    ])
    expect(await tagsOf(good)).toEqual({ value: 1, x: { y: { z: { w: 1 } } }, list: [1] })
  })

  it('J31 fails for a device that is not registered, or was made anew after the start', async () => {
    const gone = await givenDevice('e1', {})
    await deleteIdentities(db, [gone])

    const { failures } = await execute([gone], { tags: { copy: '${deviceId}' } })

    expect(failures).toMatchObject([{ deviceId: gone, error: { code: 'DeviceNotFound' } }])
  })
})

describe('the payloads of a method job with parameters', () => {
  it('R97 R98 R99 are those of each device, or the reason why it has none', async () => {
    await givenDevice('m1', { zone: "x'); drop table twins; --" })
    await givenDevice('m2', {})
    await givenDevice('m3', { zone: 'y'.repeat(4_000) })
    const payload = `["${'z'.repeat(130_000)}","\${tags.zone}"]`

    const payloadFor = await readPayloads(db, { body: { payload }, extensions: { parameters: {} }, lastGenerationNo }, [
      'm1',
      'm2',
      'm3',
      'm4',
    ])

    const short = payloadFor('m1')
    expect('value' in short && JSON.parse(short.value)[1]).toBe("x'); drop table twins; --")
    expect([payloadFor('m2'), payloadFor('m3'), payloadFor('m4')]).toMatchObject([
      { error: { code: 'ArgumentInvalid', description: expect.stringContaining('tags.zone') } },
      { error: { code: 'ArgumentInvalid', description: expect.stringContaining('bytes of JSON; at most 131072') } },
      { error: { code: 'DeviceNotFound' } },
    ])
  })

  it('R95 without the member what looks like a parameter is text', async () => {
    const payloadFor = await readPayloads(
      db,
      { body: { payload: '"${tags.zone}"' }, extensions: {}, lastGenerationNo },
      [],
    )

    expect(payloadFor('m1')).toEqual({ value: '"${tags.zone}"' })
  })
})
