import type { DeviceId, JsonObject, TwinPatch } from '@muster/contract'
import { eventually } from '@muster/testkit'
import { type SQL, sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Db, rows } from '../../src/postgres/sql.ts'
import { deleteIdentity, insertIdentities, readIdentity } from '../../src/registry/identities.ts'
import { closeSessions } from '../../src/sessions/activity.ts'
import { openSession } from '../../src/sessions/sessions.ts'
import { patchTwins } from '../../src/twins/sets.ts'
import { patchReported, patchTwin, readProperties, readTwin, replaceTwin } from '../../src/twins/twins.ts'
import { deviceId, draft, givenDevice, givenGateway, report } from '../fleet.ts'
import { countWaiting, noon, on, openStore } from '../jobs/engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

const unconditional = { etag: null }

/** 8000 bytes of tags as the limit counts them. */
const nearlyFull = Object.fromEntries([0, 1].map((n) => [`text-${n}`, 'x'.repeat(3994)]))

describe('a twin', () => {
  it('T1 T2 is born with its device, and is shown as the wire has it', async () => {
    const id = await givenDevice(db, 'newborn')
    const device = await readIdentity(db, id)

    expect(JSON.stringify(await readTwin(db, id), null, 1)).toBe(
      JSON.stringify(
        {
          deviceId: 'newborn',
          etag: 'AAAAAAAAAAE=',
          deviceEtag: device?.etag ?? 'none',
          status: 'enabled',
          statusUpdateTime: '0001-01-01T00:00:00Z',
          connectionState: 'Disconnected',
          lastActivityTime: '0001-01-01T00:00:00Z',
          cloudToDeviceMessageCount: 0,
          authenticationType: 'sas',
          x509Thumbprint: { primaryThumbprint: null, secondaryThumbprint: null },
          modelId: '',
          version: 2,
          properties: {
            desired: { $metadata: { $lastUpdated: '2026-03-02T12:00:00.000Z' }, $version: 1 },
            reported: { $metadata: { $lastUpdated: '2026-03-02T12:00:00.000Z' }, $version: 1 },
          },
          capabilities: { iotEdge: false },
        },
        null,
        1,
      ),
    )
  })

  it('T2 shows its tags, its identity and its session when it has them', async () => {
    await insertIdentities(db, [draft('full', { statusReason: 'new', isEdge: true, tags: { floor: 3 } })], noon)
    const gatewayId = await givenGateway(db, 'gateway-1')
    await openSession(db, { identity: deviceId('full'), gatewayId, clean: true }, on('13:00:00'))

    expect(await readTwin(db, deviceId('full'))).toMatchObject({
      statusReason: 'new',
      connectionState: 'Connected',
      lastActivityTime: '2026-03-02T13:00:00.000Z',
      tags: { floor: 3 },
      capabilities: { iotEdge: true },
    })
  })

  it('T1 T9 that is born with desired properties has a stamp at each of them', async () => {
    const id = await givenDevice(db, 'configured', { desired: { fw: { version: '1' }, list: [1] } })
    const stamp = { $lastUpdated: '2026-03-02T12:00:00.000Z', $lastUpdatedVersion: 1 }

    expect(await readTwin(db, id)).toMatchObject({
      properties: {
        desired: {
          fw: { version: '1' },
          list: [1],
          $metadata: { ...stamp, fw: { ...stamp, version: stamp }, list: stamp },
          $version: 1,
        },
      },
    })
  })

  it('T2 that does not exist is null', async () => {
    expect(await readTwin(db, deviceId('nobody'))).toBeNull()
    expect(await readProperties(db, deviceId('nobody'))).toBeNull()
  })

  it('T13 is read by its device without tags and metadata', async () => {
    const id = await givenDevice(db, 'reader', { tags: { floor: 1 }, desired: { interval: 60 } })
    await report(db, id, { fw: '2.1' })

    expect(await readProperties(db, id)).toEqual({
      desired: { interval: 60, $version: 1 },
      reported: { fw: '2.1', $version: 2 },
    })
  })
})

describe('patching a twin', () => {
  it.each([
    ['tags', { tags: { a: 1 } }, { version: 3, etag: 'AAAAAAAAAAI=', desired: 1, reported: 1 }],
    ['desired', { desired: { a: 1 } }, { version: 3, etag: 'AAAAAAAAAAI=', desired: 2, reported: 1 }],
    [
      'tags and desired',
      { tags: { a: 1 }, desired: {} },
      { version: 3, etag: 'AAAAAAAAAAI=', desired: 2, reported: 1 },
    ],
    ['nothing', {}, { version: 3, etag: 'AAAAAAAAAAI=', desired: 1, reported: 1 }],
  ] as const)('T6 raises version and etag by one, and those of the section: %s', async (name, patch, expected) => {
    const id = await givenDevice(db, `versions-${name.replaceAll(' ', '-')}`)

    const patched = await patchTwin(db, id, patch, unconditional, noon)

    expect(versionsOf(patched.kind === 'changed' ? patched.twin : null)).toEqual(expected)
  })

  it('T6 raises the version of reported, and not the etag, when the device patches', async () => {
    const id = await givenDevice(db, 'versions-reported')

    expect(await report(db, id, {})).toEqual({ kind: 'patched', version: 2 })

    expect(versionsOf(await readTwin(db, id))).toEqual({ version: 3, etag: 'AAAAAAAAAAE=', desired: 1, reported: 2 })
  })

  it('T7 clears a section by null, and its metadata with it', async () => {
    const id = await givenDevice(db, 'cleared', { tags: { floor: 1 }, desired: { fw: { version: '1' } } })

    const patched = await patchTwin(db, id, { tags: null, desired: null }, unconditional, on('13:00:00'))

    const twin = patched.kind === 'changed' ? patched.twin : {}
    expect(twin).not.toHaveProperty('tags')
    expect(twin).toMatchObject({
      properties: {
        desired: { $metadata: { $lastUpdated: '2026-03-02T13:00:00.000Z', $lastUpdatedVersion: 2 }, $version: 2 },
      },
    })
  })

  it('T8 answers with the whole twin, its etag, and what its device is to be told', async () => {
    const id = await givenDevice(db, 'answered')

    const patched = await patchTwin(db, id, { desired: { a: 1 } }, { etag: 'AAAAAAAAAAE=' }, noon)

    expect(patched).toEqual({
      kind: 'changed',
      twin: await readTwin(db, id),
      etag: 'AAAAAAAAAAI=',
      desired: { patch: { a: 1 }, versions: [{ identity: 'answered', version: 2 }] },
    })
  })

  it('T8 changes nothing when the twin has another etag, or is not there', async () => {
    const id = await givenDevice(db, 'guarded')

    expect(await patchTwin(db, id, { tags: { a: 1 } }, { etag: 'AAAAAAAAAAI=' }, noon)).toEqual({ kind: 'etag' })
    expect(await patchTwin(db, deviceId('nobody'), { tags: { a: 1 } }, unconditional, noon)).toEqual({
      kind: 'missing',
    })

    expect(versionsOf(await readTwin(db, id))).toMatchObject({ version: 2 })
  })

  it('T8 changes nothing when the device names another version of what it reports, or is not there', async () => {
    const id = await givenDevice(db, 'versioned')

    expect(await report(db, id, { a: 1 }, { version: 7 })).toEqual({ kind: 'version' })
    expect(await report(db, id, { a: 1 }, { version: 1 })).toEqual({ kind: 'patched', version: 2 })
    expect(await report(db, deviceId('nobody'), {})).toEqual({ kind: 'missing' })
  })

  it.each([
    ['patching', (id: DeviceId) => patchTwin(db, id, { tags: { a: 1 } }, unconditional, noon)],
    ['replacing', (id: DeviceId) => replaceTwin(db, id, { tags: { a: 1 }, desired: {} }, unconditional, noon)],
    ['reporting', (id: DeviceId) => patchReported(db, id, { a: 1 }, { version: null, connectionNo: 1 }, noon)],
  ])('T8 finds none when its device is deleted and made anew meanwhile: %s', async (name, change) => {
    const id = await givenDevice(db, `anew-${name}`)

    const { changing } = await db.transaction(async (tx) => {
      await deleteIdentity(tx, id, null)
      await insertIdentities(tx, [draft(id)], noon)
      const changing = change(id)
      await eventually(async () => expect(await countWaiting(db)).toBe(1))
      return { changing }
    })

    expect(await changing).toEqual({ kind: 'missing' })
    expect(await readTwin(db, id)).toMatchObject({ version: 2 })
  })

  const connect = async (identity: DeviceId) => {
    const gatewayId = await givenGateway(db, 'g')
    const { connectionNo } = await openSession(db, { identity, gatewayId, clean: true }, noon)
    return { identity, gatewayId, connectionNo, over: { version: null, connectionNo } }
  }

  it('G22 takes what a connection has reported while it is the newest, also after its end', async () => {
    const id = await givenDevice(db, 'comes-and-goes')
    const older = await connect(id)
    const newer = await connect(id)

    expect(await patchReported(db, id, { by: 'older' }, older.over, noon)).toEqual({ kind: 'outdated' })
    expect(await patchReported(db, id, { by: 'newer' }, newer.over, noon)).toEqual({ kind: 'patched', version: 2 })
    await closeSessions(db, newer.gatewayId, [{ ...newer, lastActivityAt: noon }], { waits: true }, noon)
    expect(await patchReported(db, id, { late: true }, newer.over, noon)).toEqual({ kind: 'patched', version: 3 })

    expect(await readProperties(db, id)).toMatchObject({ reported: { by: 'newer', late: true } })
  })

  it('G22 takes nothing that has waited while a newer connection reported', async () => {
    const id = await givenDevice(db, 'overtaken')
    const older = await connect(id)

    const { waiting } = await db.transaction(async (tx) => {
      await rows(tx, sql`select from twins where device_id = ${id} for update`)
      const waiting = patchReported(db, id, { by: 'older' }, older.over, noon)
      await eventually(async () => expect(await countWaiting(db)).toBe(1))
      const newer = await connect(id)
      await patchReported(tx, id, { by: 'newer' }, newer.over, noon)
      return { waiting }
    })

    expect(await waiting).toEqual({ kind: 'outdated' })
    expect(await readProperties(db, id)).toMatchObject({ reported: { by: 'newer', $version: 2 } })
  })

  it('G22 takes nothing for a device that was made anew, whether it has connected or not', async () => {
    const id = await givenDevice(db, 'reborn')
    const former = await connect(id)
    await deleteIdentity(db, id, null)
    await insertIdentities(db, [draft(id)], noon)

    expect(await patchReported(db, id, { by: 'former' }, former.over, noon)).toEqual({ kind: 'outdated' })
    await connect(id)
    expect(await patchReported(db, id, { by: 'former' }, former.over, noon)).toEqual({ kind: 'outdated' })

    expect(await readProperties(db, id)).toMatchObject({ reported: { $version: 1 } })
  })

  it('T12 loses none of many patches that arrive at once', async () => {
    const id = await givenDevice(db, 'busy')
    const keys = Array.from({ length: 20 }, (_, index) => `k${index}`)

    await Promise.all(keys.map((key) => patchTwin(db, id, { desired: { [key]: true } }, unconditional, noon)))

    expect(await readProperties(db, id)).toMatchObject({
      desired: { ...Object.fromEntries(keys.map((key) => [key, true])), $version: 21 },
    })
  })
})

describe('the limits of a section', () => {
  it('T10 refuse what would be larger, and keep the other section of the patch as it was too', async () => {
    const id = await givenDevice(db, 'full-tags', { tags: nearlyFull })

    await expect(
      patchTwin(db, id, { tags: { more: 'x'.repeat(200) }, desired: { a: 1 } }, unconditional, noon),
    ).rejects.toMatchObject({
      code: 'ArgumentInvalid',
      message: 'tags would take 8204 bytes; at most 8192 are allowed',
    })

    expect(await readTwin(db, id)).toMatchObject({ tags: nearlyFull, version: 2 })
  })

  it('T10 refuse a report that would be larger', async () => {
    const id = await givenDevice(db, 'full-report')
    const text = (n: number) => ({ [`text-${n}`]: 'x'.repeat(4000) })
    for (const n of [0, 1, 2, 3, 4, 5, 6, 7]) await report(db, id, text(n))

    await expect(report(db, id, text(8))).rejects.toMatchObject({ code: 'ArgumentInvalid' })

    expect(await readTwin(db, id)).toMatchObject({ properties: { reported: { $version: 9 } } })
  })

  it('T10 count what the wire counts, not what is stored', async () => {
    const numbers = Object.fromEntries(
      Array.from({ length: 600 }, (_, index) => [`k${String(index).padStart(2, '0')}`, index]),
    )
    const id = await givenDevice(db, 'numbers')

    expect(await patchTwin(db, id, { tags: numbers }, unconditional, noon)).toMatchObject({ kind: 'changed' })
  })

  it('T10 let a section that is over its limit shrink or stay, not grow', async () => {
    const id = await givenDevice(db, 'oversized')
    await rows(
      db,
      sql`update twins set tags = ${JSON.stringify({ a: 'x'.repeat(9000), b: 1 })}::jsonb where device_id = ${id}`,
    )

    expect(await patchTwin(db, id, { tags: { b: null } }, unconditional, noon)).toMatchObject({ kind: 'changed' })
    expect(await patchTwin(db, id, { tags: { a: 'y'.repeat(9000) } }, unconditional, noon)).toMatchObject({
      kind: 'changed',
    })
    await expect(patchTwin(db, id, { tags: { b: 1 } }, unconditional, noon)).rejects.toMatchObject({
      code: 'ArgumentInvalid',
    })
  })
})

describe('patching many twins', () => {
  it('T11 tells how many it patched and which are missing', async () => {
    await givenDevice(db, 'many-1')
    await givenDevice(db, 'many-2', { tags: { floor: 1, room: 2 } })

    const result = await patchTwins(db, ['many-1', 'nobody', 'many-2'], { tags: { floor: 3 } }, noon)

    expect(result).toEqual({ patched: 2, unsure: [], missing: ['nobody'], desired: [] })
    expect(await readTwin(db, deviceId('many-2'))).toMatchObject({ tags: { floor: 3, room: 2 }, version: 3 })
  })

  it('T11 leaves out a twin that may grow beyond a limit, and no other', async () => {
    const patch: TwinPatch = { tags: { text: 'x'.repeat(300) }, desired: { a: 1 } }
    await givenDevice(db, 'brimful', { tags: nearlyFull })
    await givenDevice(db, 'roomy')

    const result = await patchTwins(db, ['brimful', 'roomy'], patch, noon)

    expect(result).toMatchObject({ patched: 1, unsure: ['brimful'] })
    expect(await readTwin(db, deviceId('brimful'))).toMatchObject({ version: 2 })
  })

  it('T11 patches a twin however full it is, when the patch only clears', async () => {
    await givenDevice(db, 'emptied', { tags: nearlyFull })

    expect(await patchTwins(db, ['emptied'], { tags: null }, noon)).toMatchObject({ patched: 1, unsure: [] })
  })

  it('T11 tells what those whose desired properties it writes are to be told, with the version of each', async () => {
    await givenDevice(db, 'told-1')
    await givenDevice(db, 'told-2')
    await patchTwins(db, ['told-2'], { desired: { b: 1 } }, noon)

    const { desired } = await patchTwins(db, ['told-1', 'told-2', 'nobody'], { desired: { a: 1 } }, noon)
    const onlyTags = await patchTwins(db, ['told-1', 'told-2'], { tags: { a: 1 } }, noon)

    const versions = [
      { identity: 'told-1', version: 2 },
      { identity: 'told-2', version: 3 },
    ]
    expect(desired).toEqual([{ patch: { a: 1 }, versions }])
    expect(onlyTags.desired).toEqual([])
  })

  it('T16 tells each whose desired properties are cleared what it loses, one patch for those that are alike', async () => {
    await givenDevice(db, 'alike-1', { desired: { a: 1, b: { c: 2 } } })
    await givenDevice(db, 'alike-2', { desired: { b: 7, a: { d: 1 } } })
    await givenDevice(db, 'another', { desired: { z: 1 } })
    await givenDevice(db, 'empty')

    const { desired } = await patchTwins(db, ['alike-1', 'alike-2', 'another', 'empty'], { desired: null }, noon)

    const told = desired.map(({ patch, versions }) => [patch, versions.map(({ identity }) => identity)])
    expect(told).toEqual([
      [{ a: null, b: null }, ['alike-1', 'alike-2']],
      [{ z: null }, ['another']],
      [{}, ['empty']],
    ])
  })

  it('T12 locks twins in one order, whatever the plan, so that patches of one set do not wait for each other', async () => {
    const ids = Array.from({ length: 100 }, (_, index) => `lock-${100 + index}`)
    for (const id of ids.toReversed()) await givenDevice(db, id)
    // One plan walks along the index, the other along the table, where the ids lie in the opposite order.
    const plans = ['enable_seqscan', 'enable_indexscan'].map((avoided) => sql.raw(`set local ${avoided} = off`))
    const patchBy = (plan: SQL, value: number) =>
      db.transaction(async (tx) => {
        await rows(tx, sql`set local enable_bitmapscan = off`)
        await rows(tx, plan)
        return patchTwins(tx, ids, { desired: { value } }, noon)
      })

    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) => plans.map((plan) => patchBy(plan, index))).flat(),
    )

    expect(results.map((result) => result.patched)).toEqual(Array.from({ length: 40 }, () => 100))
  })
})

function versionsOf(twin: JsonObject | null) {
  const { version, etag, properties } = { ...twin } as {
    version: number
    etag: string
    properties: Record<string, JsonObject>
  }
  return { version, etag, desired: properties.desired?.$version, reported: properties.reported?.$version }
}
