import { type DeviceId, type ModuleKey, moduleKey, parseModuleId } from '@muster/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Db } from '../../src/postgres/sql.ts'
import { keyFingerprint } from '../../src/registry/fingerprints.ts'
import { deleteIdentity, readCredentials, readIdentity, updateIdentity } from '../../src/registry/identities.ts'
import { insertModule, listModules } from '../../src/registry/modules.ts'
import { confirmSessions } from '../../src/sessions/confirm-sessions.ts'
import { findOwners, findOwnersWithModules, findRoutes, openSession } from '../../src/sessions/sessions.ts'
import { patchTwin, readProperties, readTwin } from '../../src/twins/twins.ts'
import { deviceId, draft, givenDevice, givenGateway, report } from '../fleet.ts'
import { noon, openStore } from '../jobs/engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

function keyOf(id: DeviceId, module: string): ModuleKey {
  return moduleKey(id, parseModuleId(module))
}

const insert = (id: DeviceId, module: string) =>
  insertModule(db, id, { ...draft('any'), identity: keyOf(id, module), managedBy: 'us' }, noon)

describe('a module', () => {
  it('T18 has an identity and a twin of its own', async () => {
    const id = await givenDevice(db, 'lift', { tags: { floor: 1 } })

    expect(await insert(id, 'door')).toBe('created')
    const key = keyOf(id, 'door')
    await patchTwin(db, key, { tags: { side: 'left' }, desired: { speed: 2 } }, { etag: null }, noon)
    await report(db, key, { fw: '1' })

    expect(await readIdentity(db, key)).toMatchObject({ identity: 'lift/door', managedBy: 'us' })
    expect(await readTwin(db, key)).toMatchObject({ deviceId: 'lift', moduleId: 'door', tags: { side: 'left' } })
    expect(await readTwin(db, key)).not.toHaveProperty('capabilities')
    expect(await readProperties(db, key)).toEqual({
      desired: { speed: 2, $version: 2 },
      reported: { fw: '1', $version: 2 },
    })
    expect(await readTwin(db, id)).toMatchObject({ tags: { floor: 1 }, version: 2 })
  })

  it('is not created twice, nor on a device that is not there', async () => {
    const id = await givenDevice(db, 'once')
    await insert(id, 'm')

    expect(await insert(id, 'm')).toBe('exists')
    expect(await insert(deviceId('nobody'), 'm')).toBe('noDevice')
  })

  it('T18 goes with its device, and its device stays without it', async () => {
    const id = await givenDevice(db, 'parent')
    await insert(id, 'a')
    await insert(id, 'b')

    expect(await deleteIdentity(db, keyOf(id, 'a'), null)).toBe('deleted')
    expect((await listModules(db, id))?.map(({ identity }) => identity)).toEqual(['parent/b'])
    await deleteIdentity(db, id, null)

    expect(await readTwin(db, keyOf(id, 'b'))).toBeNull()
    expect(await listModules(db, id)).toBeNull()
  })

  it('T19 is refused above 50 on a device, however many are created at once', async () => {
    const id = await givenDevice(db, 'crowded')

    const results = await Promise.all(Array.from({ length: 60 }, (_, index) => insert(id, `m${index}`)))

    expect(results.filter((result) => result === 'created')).toHaveLength(50)
    expect(results.filter((result) => result === 'tooMany')).toHaveLength(10)
    expect(await listModules(db, id)).toHaveLength(50)
  })

  it('counts as disabled while its device is, and its session ends with the device’s', async () => {
    const id = await givenDevice(db, 'switched')
    await insert(id, 'm')
    const key = keyOf(id, 'm')
    const gatewayId = await givenGateway(db, 'gateway-1')
    const { connectionNo } = await openSession(db, { identity: key, gatewayId, clean: true }, noon)
    const { primaryKey } = (await readCredentials(db, [key])).get(key)?.authentication ?? {}
    const held = [{ identity: key, connectionNo, fingerprints: [keyFingerprint(primaryKey ?? '', null)] }]
    expect(await confirmSessions(db, gatewayId, held, noon)).toMatchObject([{ identity: key, isProven: true }])

    await updateIdentity(db, draft('switched', { status: 'disabled' }), { etag: null }, noon)

    expect((await readCredentials(db, [key])).get(key)).toMatchObject({ status: 'disabled' })
    expect(await findRoutes(db, [key])).toMatchObject([{ identity: key, status: 'disabled' }])
    expect(await confirmSessions(db, gatewayId, held, noon)).toEqual([])
    expect(await findOwners(db, [id])).toEqual([])
    expect(await findOwnersWithModules(db, [id])).toEqual([{ identity: key, gatewayId }])
  })
})
