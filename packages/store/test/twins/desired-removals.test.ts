import type { DeviceId, JsonObject } from '@muster/contract'
import { PgDialect } from 'drizzle-orm/pg-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Db } from '../../src/postgres/sql.ts'
import { readDesiredSince } from '../../src/twins/desired-removals.ts'
import { compilePatch } from '../../src/twins/patch.ts'
import { patchTwins } from '../../src/twins/sets.ts'
import { patchTwin, readProperties, readTwin, replaceTwin } from '../../src/twins/twins.ts'
import { deviceId, givenDevice, report } from '../fleet.ts'
import { noon, openStore } from '../jobs/engine.ts'
import { ask } from '../queries/queries.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

const unconditional = { etag: null }

function patch(id: DeviceId, desired: JsonObject | null) {
  return patchTwin(db, id, { desired }, unconditional, noon)
}

/** By version; null when it is not known. */
async function removalsSince(id: DeviceId, version: number) {
  const since = await readDesiredSince(db, id, version)
  return since?.removals && Object.fromEntries(since.removals)
}

describe('what patches removed of the desired properties', () => {
  it('G27 is known by version, beside the section as it is', async () => {
    const id = await givenDevice(db, 'known', { desired: { a: 1, b: 2 } })

    await patch(id, { a: null, deep: { gone: null, list: [null], deeper: { set: 1 } }, set: 1, empty: {} })
    await patch(id, { b: 3 })
    await patch(id, { b: null })

    const section = { deep: { list: [null], deeper: { set: 1 } }, set: 1, empty: {} }
    const removals = new Map([[2, { a: null, deep: { gone: null } }] as const, [4, { b: null }] as const])
    expect(await readDesiredSince(db, id, 1)).toEqual({ version: 4, section, removals })
    expect(await removalsSince(id, 2)).toEqual({ 4: { b: null } })
    expect(await removalsSince(id, 4)).toEqual({})
    expect(await readDesiredSince(db, deviceId('nobody'), 1)).toBeNull()
  })

  it('G27 is known of each twin that one statement patches', async () => {
    const ids = await Promise.all(['set-1', 'set-2'].map((id) => givenDevice(db, id, { desired: { a: 1, b: 2 } })))
    await patch(deviceId('set-2'), { b: null })

    await patchTwins(db, ids, { desired: { a: null } }, noon)

    expect(await removalsSince(deviceId('set-1'), 1)).toEqual({ 2: { a: null } })
    expect(await removalsSince(deviceId('set-2'), 1)).toEqual({ 2: { b: null }, 3: { a: null } })
  })

  it('G27 is known of the last eight that removed something', async () => {
    const id = await givenDevice(db, 'many')

    for (const n of [2, 3, 4, 5, 6, 7, 8]) await patch(id, { [`k${n}`]: null })
    const seven = await removalsSince(id, 1)
    await patch(id, { set: 1 })
    for (const n of [10, 11, 12]) await patch(id, { [`k${n}`]: null })

    const named = (versions: number[]) => Object.fromEntries(versions.map((n) => [n, { [`k${n}`]: null }]))
    expect(seven).toEqual(named([2, 3, 4, 5, 6, 7, 8]))
    expect(await removalsSince(id, 3)).toEqual(named([4, 5, 6, 7, 8, 10, 11, 12]))
    expect(await removalsSince(id, 4)).toEqual(named([5, 6, 7, 8, 10, 11, 12]))
    expect(await removalsSince(id, 2)).toBeNull()
  })

  it.each([
    ['a replacement', (id: DeviceId) => replaceTwin(db, id, { tags: {}, desired: { b: 1 } }, unconditional, noon)],
    ['a cleared section', (id: DeviceId) => patch(id, null)],
    ['a section that is cleared of many twins', (id: DeviceId) => patchTwins(db, [id], { desired: null }, noon)],
    ['a patch that removes more than 4 KB', (id: DeviceId) => patch(id, { ['x'.repeat(4096)]: null })],
  ])('G27 is not known of %s and what was before it', async (name, change) => {
    const id = await givenDevice(db, name.replaceAll(' ', '-'), { desired: { a: 1 } })
    await patch(id, { a: null })

    await change(id)
    await patch(id, { b: null })

    expect(await removalsSince(id, 1)).toBeNull()
    expect(await removalsSince(id, 2)).toBeNull()
    expect(await removalsSince(id, 3)).toEqual({ 4: { b: null } })
  })

  it('G27 is known of a patch that removes up to 4 KB', async () => {
    const id = await givenDevice(db, 'large')
    const removed = { ['x'.repeat(4096 - '{"":null}'.length)]: null }

    await patch(id, { ...removed, set: 1 })

    expect(await removalsSince(id, 1)).toEqual({ 2: removed })
  })

  it('G27 costs a patch nothing that removes none', () => {
    const sqlOf = (desired: JsonObject) => new PgDialect().sqlToQuery(compilePatch({ desired }, noon)).sql

    expect(sqlOf({ a: 1, deep: { b: [null] }, empty: {} })).not.toContain('desired_removals')
    expect(sqlOf({ a: 1, deep: { b: null } })).toContain('desired_removals')
  })

  it('G27 T2 T13 is shown to nobody', async () => {
    const id = await givenDevice(db, 'shown', { desired: { a: 1 } })
    await patch(id, { a: null })
    await report(db, id, { a: null })

    const { items } = await ask(db, "SELECT * FROM devices WHERE deviceId = 'shown'")

    const twin = await readTwin(db, id)
    expect(JSON.stringify(twin)).not.toMatch(/removals/i)
    expect(items).toEqual([twin])
    expect(await readProperties(db, id)).toEqual({ desired: { $version: 2 }, reported: { $version: 2 } })
  })
})
