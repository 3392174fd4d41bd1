import type { IdentityKey } from '@muster/contract'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Db } from '../../src/postgres/sql.ts'
import { listDevices } from '../../src/registry/devices.ts'
import {
  deleteIdentities,
  deleteIdentity,
  insertIdentities,
  readCredentials,
  readIdentity,
  updateIdentity,
} from '../../src/registry/identities.ts'
import { openSession } from '../../src/sessions/sessions.ts'
import { patchTwins } from '../../src/twins/sets.ts'
import { patchTwin, readTwin } from '../../src/twins/twins.ts'
import { deviceId, draft, givenDevice, givenGateway } from '../fleet.ts'
import { countWaiting, noon, on, openStore } from '../jobs/engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

describe('creating devices', () => {
  it('T1 makes device and twin together, and leaves those alone that exist', async () => {
    await givenDevice(db, 'first', { tags: { floor: 1 } })

    const created = await insertIdentities(
      db,
      [draft('first', { tags: { floor: 2 } }), draft('second')],
      on('13:00:00'),
    )

    expect(created).toEqual(['second'])
    expect(await readTwin(db, deviceId('first'))).toMatchObject({ tags: { floor: 1 }, version: 2 })
    expect(await readTwin(db, deviceId('second'))).toMatchObject({ version: 2 })
  })

  it('gives back what was registered', async () => {
    const identity = draft('registered', {
      status: 'disabled',
      statusReason: 'in repair',
      isEdge: true,
      authentication: {
        type: 'selfSigned',
        primaryKey: null,
        secondaryKey: null,
        primaryThumbprint: 'A1',
        secondaryThumbprint: 'B2',
      },
    })

    await insertIdentities(db, [identity], noon)

    expect(await readIdentity(db, identity.identity)).toEqual({
      ...identity,
      generationId: expect.stringMatching(/^\d{18}$/),
      deviceScope: expect.stringMatching(/^ms-azure-iot-edge:\/\/registered-\d{18}$/),
      etag: expect.stringMatching(/.+/),
      statusUpdatedTime: null,
      connectionState: 'Disconnected',
      connectionStateUpdatedTime: null,
      lastActivityTime: null,
    })
  })

  it('T10 refuses a section over its limit and creates none of the set', async () => {
    const tooLarge = { tags: { text: 'x'.repeat(9000) } }

    await expect(insertIdentities(db, [draft('slim'), draft('fat', tooLarge)], noon)).rejects.toMatchObject({
      code: 'ArgumentInvalid',
    })
    expect(await readIdentity(db, deviceId('slim'))).toBeNull()
  })

  it('gives a device that is created again another generation', async () => {
    const id = await givenDevice(db, 'reborn')
    const before = (await readCredentials(db, [id])).get(id)
    await deleteIdentities(db, [id])

    await givenDevice(db, 'reborn')

    expect((await readCredentials(db, [id])).get(id)?.generationId).not.toBe(before?.generationId)
  })

  it('gives a device that is created again an etag that is none of the one before', async () => {
    const drafts = Array.from({ length: 100 }, (_, index) => draft(`again-${index}`))
    const ids = drafts.map(({ identity }) => identity)
    await insertIdentities(db, drafts, noon)
    const before = await Promise.all(ids.map((id) => countOf(id)))
    await deleteIdentities(db, ids)

    await insertIdentities(db, drafts, noon)

    const after = await Promise.all(ids.map((id) => countOf(id)))
    expect(new Set([...before, ...after]).size).toBe(200)
    expect(await updateIdentity(db, draft('again-0'), { etag: encoded(before[0] ?? 0) }, noon)).toBe('etag')
    expect(await deleteIdentity(db, deviceId('again-0'), encoded(before[0] ?? 0))).toBe('etag')
  })
})

describe('updating a device', () => {
  it('changes the identity, raises its etag, and notes when the status changed', async () => {
    const id = await givenDevice(db, 'changing')
    const changed = draft('changing', { status: 'disabled', statusReason: 'stolen' })
    const first = await countOf(id)

    expect(await updateIdentity(db, changed, { etag: encoded(first) }, on('13:00:00'))).toBe('updated')
    expect(await updateIdentity(db, changed, { etag: null }, on('14:00:00'))).toBe('updated')

    expect(await readIdentity(db, id)).toMatchObject({
      status: 'disabled',
      statusReason: 'stolen',
      statusUpdatedTime: on('13:00:00'),
      etag: encoded(first + 2),
    })
  })

  it('tells another etag from a device that is not there, and changes nothing', async () => {
    const id = await givenDevice(db, 'guarded')
    const changed = draft('guarded', { status: 'disabled' })
    const before = await readIdentity(db, id)

    expect(await updateIdentity(db, changed, { etag: 'Mg==' }, noon)).toBe('etag')
    expect(await updateIdentity(db, draft('nobody'), { etag: 'Mg==' }, noon)).toBe('missing')
    expect(await readIdentity(db, id)).toEqual(before)
  })

  it('leaves the twin as it is', async () => {
    const id = await givenDevice(db, 'twinned', { tags: { floor: 1 } })

    await updateIdentity(db, draft('twinned'), { etag: null }, noon)

    expect(await readTwin(db, id)).toMatchObject({ tags: { floor: 1 }, version: 2, etag: 'AAAAAAAAAAE=' })
  })
})

describe('deleting devices', () => {
  it('takes twin and session along, and names those that existed', async () => {
    const id = await givenDevice(db, 'leaving')
    const gatewayId = await givenGateway(db, 'gateway-1')
    await openSession(db, { identity: id, gatewayId, clean: false }, noon)

    expect(await deleteIdentities(db, ['leaving', 'nobody'])).toEqual(['leaving'])

    expect(await readTwin(db, id)).toBeNull()
    expect(await patchTwin(db, id, { tags: { a: 1 } }, { etag: null }, noon)).toEqual({ kind: 'missing' })
  })

  it('takes their rows in the order in which a patch does, whatever order they are stored and asked in', async () => {
    for (const id of ['order-z', 'order-a']) await givenDevice(db, id)
    const patch = { desired: { a: 1 } }

    const { deletion } = await db.transaction(async (tx) => {
      await patchTwins(tx, ['order-a'], patch, noon)
      const deletion = deleteIdentities(db, ['order-z', 'order-a'])
      await eventually(async () => expect(await countWaiting(db)).toBe(1))
      // It would wait for the deletion, which waits for it, had that taken the last row first.
      await patchTwins(tx, ['order-z'], patch, noon)
      return { deletion }
    })

    expect((await deletion).sort()).toEqual(['order-a', 'order-z'])
  })

  it('tells another etag from a device that is not there', async () => {
    const id = await givenDevice(db, 'kept')
    const etag = encoded(await countOf(id))

    expect(await deleteIdentity(db, id, 'Mg==')).toBe('etag')
    expect(await deleteIdentity(db, deviceId('nobody'), 'Mg==')).toBe('missing')
    expect(await deleteIdentity(db, id, etag)).toBe('deleted')
    expect(await deleteIdentity(db, id, null)).toBe('missing')
  })
})

describe('listing devices', () => {
  it('starts with the first in ordinal order of their ids', async () => {
    await insertIdentities(db, [draft('a-lower'), draft('Z-upper'), draft('0-digit')], noon)

    expect((await listDevices(db, 2)).map((device) => device.identity)).toEqual(['0-digit', 'Z-upper'])
  })
})

/** The number in an etag of an identity. */
async function countOf(id: IdentityKey): Promise<number> {
  const identity = await readIdentity(db, id)
  return Number(Buffer.from(identity?.etag ?? '', 'base64').toString())
}

function encoded(count: number): string {
  return Buffer.from(String(count)).toString('base64')
}
