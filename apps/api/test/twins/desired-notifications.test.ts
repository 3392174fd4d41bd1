import { type JsonObject, jobKey, parseDeviceId } from '@muster/contract'
import { notifyDesired, operationOf } from '@muster/operations'
import type { LockedChunk } from '@muster/store'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, connectDevice, openApi } from '../api.ts'
import { type Heard, listen } from '../listen.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
  await api.send('PUT', '/devices/lift', {})
})
afterAll(async () => api[Symbol.asyncDispose]())

const before = { mode: 'eco', fan: { speed: 2, on: true }, list: [1] }

/** A connected device or module with desired properties of version 2. */
async function givenConnected(key: string): Promise<Heard & { readonly path: string }> {
  const path = key.replace('/', '/modules/')
  await api.send('PUT', `/devices/${path}`, {})
  await api.send('PATCH', `/twins/${path}`, { properties: { desired: before } })
  await connectDevice(api, key, `gateway-${key}`)
  const heard = await listen(api, `gateway-${key}`)
  return { ...heard, path: `/twins/${path}`, [Symbol.asyncDispose]: () => heard[Symbol.asyncDispose]() }
}

/** What it has heard once it has heard of a last change. */
async function heardOf(heard: Heard & { readonly path: string }) {
  await api.send('PATCH', heard.path, { properties: { desired: { last: true } } })
  await expect.poll(() => heard.pushes.at(-1)?.patch).toEqual({ last: true })
  return heard.pushes.slice(0, -1)
}

const cleared = { mode: null, fan: null, list: null }

describe.each(['told', 'lift/told'])('T17 a connected device or module (%s)', (key) => {
  it('T16 is told of patches with their nulls, and of tags nothing', async () => {
    await using connected = await givenConnected(key)

    await api.send('PATCH', connected.path, { tags: { a: 1 } })
    await api.send('PATCH', connected.path, {
      properties: { desired: { mode: null, fan: { speed: null, extra: {} } } },
    })
    await api.send('PATCH', connected.path, { properties: { desired: {} } })

    expect(await heardOf(connected)).toEqual([
      { patch: { mode: null, fan: { speed: null, extra: {} } }, devices: [{ identity: key, version: 3 }] },
      { patch: {}, devices: [{ identity: key, version: 4 }] },
    ])
  })
})

describe('T17 a connected device', () => {
  it('T16 is told of a replacement as a patch that leads there, nulls at every level', async () => {
    await using connected = await givenConnected('replaced')

    await api.send('PUT', connected.path, { tags: { a: 1 }, properties: { desired: { fan: { on: false }, level: 3 } } })
    await api.send('PUT', connected.path, {})

    expect((await heardOf(connected)).map(({ patch }) => patch)).toEqual([
      { mode: null, list: null, fan: { speed: null, on: false }, level: 3 },
      { fan: null, level: null },
    ])
  })

  it('T16 is told of a section that a patch or a bulk update clears, member by member', async () => {
    await using patched = await givenConnected('by-patch')
    await using imported = await givenConnected('by-bulk')
    const clearing = { properties: { desired: null } }

    await api.send('PATCH', patched.path, clearing)
    await api.send('POST', '/devices', [{ id: 'by-bulk', importMode: 'updateTwin', ...clearing }])

    expect((await heardOf(patched)).map(({ patch }) => patch)).toEqual([cleared])
    expect((await heardOf(imported)).map(({ patch }) => patch)).toEqual([cleared])
  })

  it('T16 is told the same by a twin job, each what it loses', async () => {
    await using one = await givenConnected('by-job-1')
    await using other = await givenConnected('by-job-2')
    await api.send('PATCH', other.path, { properties: { desired: { own: 1 } } })

    await runTwinJob(['by-job-1', 'by-job-2'], { tags: { a: 1 }, properties: { desired: null } })

    expect((await heardOf(one)).map(({ patch }) => patch)).toEqual([cleared])
    expect((await heardOf(other)).map(({ patch }) => patch)).toEqual([{ own: 1 }, { ...cleared, own: null }])
  })

  it('T16 is told of the patch of a twin job, also when its tags are nearly full', async () => {
    await using roomy = await givenConnected('roomy')
    await using brimful = await givenConnected('brimful')
    const nearlyFull = { a: 'x'.repeat(4000), b: 'x'.repeat(4000) }
    await api.send('PATCH', brimful.path, { tags: nearlyFull })

    await runTwinJob(['roomy', 'brimful'], { tags: { b: 'y'.repeat(3000) }, properties: { desired: { fan: null } } })

    expect((await heardOf(roomy)).map(({ patch }) => patch)).toEqual([{ fan: null }])
    expect((await heardOf(brimful)).map(({ patch }) => patch)).toEqual([{ fan: null }])
  })
})

const lastGenerationNo = 1_000_000

/** A twin job on these devices, as a worker carries it out. */
async function runTwinJob(ids: readonly string[], patch: JsonObject): Promise<void> {
  const operation = operationOf('scheduleUpdateTwin')
  if (operation.kind !== 'store') throw new TypeError('twins are updated in the store')
  const { desired } = await api.db.transaction((tx) =>
    operation.execute(tx, chunkOf(ids, { etag: '*', ...patch }), api.clock.now()),
  )
  expect(await notifyDesired(api, desired)).toBe(true)
}

function chunkOf(ids: readonly string[], body: JsonObject): LockedChunk {
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
  return { job, chunkNo: 0, deviceIds: ids.map(parseDeviceId), claims: 0 }
}
