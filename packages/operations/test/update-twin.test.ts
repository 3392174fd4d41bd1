import { type DeviceId, type JsonObject, jobKey, parseDeviceId } from '@muster/contract'
import {
  type Connection,
  connect,
  type Db,
  deleteIdentities,
  insertIdentities,
  type LockedChunk,
  migrate,
  readDesiredSince,
} from '@muster/store'
import { createDatabase, eventually, type TestDatabase, templateDatabase } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { operationOf } from '../src/index.ts'

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

/** 8000 of the 8192 bytes that tags may take. */
const nearlyFull = Object.fromEntries([0, 1].map((n) => [`text-${n}`, 'x'.repeat(3994)]))
/** May be too large for such tags, as far as is known without counting, and is not. */
const replacing = { 'text-1': 'y'.repeat(3000) }

async function makeDevice(db: Db, id: string, twin: { tags?: JsonObject; desired?: JsonObject }): Promise<DeviceId> {
  const keys = { primaryKey: 'cHJpbWFyeQ==', secondaryKey: 'c2Vjb25kYXJ5' }
  const authentication = { type: 'sas', ...keys, primaryThumbprint: null, secondaryThumbprint: null } as const
  const settings = { status: 'enabled', statusReason: null, isEdge: false, managedBy: null, parentScopes: [] } as const
  const identity = parseDeviceId(id)
  await insertIdentities(db, [{ identity, authentication, ...settings, ...twin }], noon)
  return identity
}

const lastGenerationNo = 1_000_000

/** A chunk of a twin job, as a worker carries it out. */
function execute(deviceIds: readonly DeviceId[], patch: JsonObject) {
  const operation = operationOf('scheduleUpdateTwin')
  if (operation.kind !== 'store') throw new TypeError('twins are updated in the store')
  const body = { etag: '*', ...patch }
  const job = {
    key: jobKey(1),
    jobId: 'j1',
    type: 'scheduleUpdateTwin',
    week: '2026-03-02',
    body,
    extensions: {},
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

describe('a twin job', () => {
  it.each([
    ['deleted', () => {}],
    ['deleted and made anew', (tx: Db, id: string) => makeDevice(tx, id, {})],
  ])('J17 fails on a device that is %s while its nearly full twin is counted', async (name, follow) => {
    const id = `leaving-${name.replaceAll(' ', '-')}`
    const roomy = await makeDevice(db, `roomy-${id}`, {})
    const leaving = await makeDevice(db, id, { tags: nearlyFull })

    const { executing } = await db.transaction(async (tx) => {
      await deleteIdentities(tx, [leaving])
      await follow(tx, leaving)
      const executing = execute([roomy, leaving], { tags: replacing })
      await eventually(async () => {
        const { rows } = await db.execute(`
          select pid
            from pg_stat_activity
           where datname = current_database()
             and wait_event_type = 'Lock'`)
        expect(rows).toHaveLength(1)
      })
      return { executing }
    })

    const error = { code: 'DeviceNotFound', description: `the device ${leaving} is not registered` }
    expect(await executing).toEqual({ failures: [{ deviceId: leaving, error }], desired: [] })
  })

  it('G27 notes what it removes of the desired properties, of nearly full twins too', async () => {
    const ids = [
      await makeDevice(db, 'noted', { desired: { a: 1, b: 1 } }),
      await makeDevice(db, 'noted-full', { tags: nearlyFull, desired: { a: 1, b: 1 } }),
    ]

    await execute(ids, { tags: replacing, properties: { desired: { a: null } } })

    const since = await Promise.all(ids.map((id) => readDesiredSince(db, id, 1)))
    const expected = { version: 2, section: { b: 1 }, removals: new Map([[2, { a: null }]]) }
    expect(since).toEqual([expected, expected])
  })
})
