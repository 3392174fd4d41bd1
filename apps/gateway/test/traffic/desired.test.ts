import { type IdentityKey, isJsonObject, type JsonObject, storedIdentity } from '@muster/contract'
import { findOwners, patchTwin, readProperties, replaceTwin } from '@muster/store'
import { eventually } from '@muster/testkit'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { connectDevice, desired, methods, nextEnd, responses, type TestDevice } from '../device.ts'
import { openHub, type TestGateway, type TestHub } from '../hub.ts'

let hub: TestHub
let gateway: TestGateway
beforeAll(async () => {
  // What happens every half minute is stepped by hand.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  hub = await openHub()
  gateway = await hub.startGateway()
})
afterAll(async () => {
  vi.useRealTimers()
  await hub[Symbol.asyncDispose]()
})

const get = '$iothub/twin/GET/?$rid='
const noon = new Date('2026-03-02T12:00:00Z')
const notification = '$iothub/twin/PATCH/properties/desired/?$version='

async function connected(deviceId: string, filters = [responses, desired]) {
  const device = await connectDevice(gateway, await hub.addDevice(deviceId))
  await device.subscribe(filters)
  return device
}

/** The next notification, whose two versions must be the same. */
async function told(device: TestDevice): Promise<Record<string, unknown>> {
  const { topic, payload } = await device.take(notification)
  const patch = JSON.parse(payload)
  expect(topic).toBe(`${notification}${patch.$version}`)
  return patch
}

const leaf = fc.constantFrom(null, 1, 2, [1])
/** Of which no member is an object at one time and something else at another. */
const { patch: arbitraryPatch } = fc.letrec<{ patch: JsonObject; object: JsonObject | null }>((tie) => ({
  patch: fc.record({ x: leaf, y: leaf, o: tie('object'), p: tie('object') }, { requiredKeys: [] }),
  object: fc.oneof({ depthSize: 'small' }, fc.constant(null), tie('patch')),
}))

describe('a change of desired properties', () => {
  it('G24 is told to the device, with what was removed and the new version', async () => {
    const device = await connected('told')

    await hub.change('told', { x: 1, y: null })

    expect(await told(device)).toEqual({ x: 1, y: null, $version: 2 })
    await device.end()
  })

  it('G24 is told to nobody who is not subscribed, and does not come later', async () => {
    const device = await connected('untold', [responses, methods])

    await hub.change('untold', { x: 1 })
    await device.publish(`${get}1`)
    await device.take('$iothub/twin/res/200')
    await device.subscribe([desired])
    await hub.change('untold', { x: 2 })

    expect(await told(device)).toEqual({ x: 2, $version: 3 })
    expect(device.messages).toEqual([])
    await device.end()
  })

  it('G24 comes in the order of the versions, whichever way it took', async () => {
    const device = await connected('ordered')
    const changes = []
    for (let x = 2; x <= 6; x++) changes.push(await hub.commit('ordered', { x }))

    for (const n of [1, 4, 3, 0, 2, 0]) await hub.push(changes[n] ?? raise())
    const versions = []
    for (let x = 2; x <= 6; x++) versions.push(await told(device))

    expect(versions).toEqual([2, 3, 4, 5, 6].map((x) => ({ x, $version: x })))
    expect(device.messages).toEqual([])
    await device.end()
  })

  it('G24 is not told when the device has read it already', async () => {
    const device = await connected('has-read')
    const second = await hub.commit('has-read', { x: 1 })
    const third = await hub.commit('has-read', { x: 2 })

    await hub.push(third)
    await device.publish(`${get}1`)
    await device.take('$iothub/twin/res/200')
    await hub.push(second)
    await hub.change('has-read', { x: 3 })

    expect(await told(device)).toEqual({ x: 3, $version: 4 })
    expect(device.messages).toEqual([])
    await device.end()
  })

  it('G27 that was lost is made good by the whole section, with what later patches removed', async () => {
    const device = await connected('lost')
    await hub.change('lost', { a: 1, gone: 1, deep: { kept: 1, gone: 1 } })
    await told(device)
    await hub.commit('lost', { b: 2 })
    const fourth = await hub.commit('lost', { a: 3 })
    const fifth = await hub.commit('lost', { gone: null, deep: { gone: null } })

    await hub.push(fifth)
    await hub.push(fourth)

    expect(await told(device)).toEqual({ a: 3, $version: 4 })
    expect(await told(device)).toEqual({
      a: 3,
      b: 2,
      gone: null,
      deep: { kept: 1, gone: null },
      $version: 5,
    })
    await hub.change('lost', { a: 6 })
    expect(await told(device)).toEqual({ a: 6, $version: 6 })
    expect(device.messages).toEqual([])
    await device.end()
  })

  it('G27 that was lost is found within half a minute, though nothing follows it', async () => {
    const device = await connected('silence')
    await hub.commit('silence', { a: 1 })

    vi.advanceTimersByTime(30_000)

    expect(await told(device)).toEqual({ a: 1, $version: 2 })
    expect(device.messages).toEqual([])
    await device.end()
  })

  it('G27 that was lost is made good with what it removed, at every level', async () => {
    const device = await connected('removed')
    await hub.change('removed', { gone: 1, back: 1, deep: { kept: 1, gone: 1 } })
    await told(device)
    await hub.commit('removed', { gone: null, back: null, deep: { gone: null } })

    await hub.change('removed', { back: 2 })

    expect(await told(device)).toEqual({ gone: null, back: null, deep: { gone: null }, $version: 3 })
    expect(await told(device)).toEqual({ back: 2, deep: { kept: 1 }, $version: 4 })
    expect(device.messages).toEqual([])
    await device.end()
  })

  it('G27 that was lost is made good with what it removed, though nothing follows it', async () => {
    const device = await connected('removed-last')
    await hub.change('removed-last', { gone: 1, deep: { kept: 1, gone: 1 } })
    await told(device)
    await hub.commit('removed-last', { gone: null, deep: { gone: null } })

    vi.advanceTimersByTime(30_000)

    expect(await told(device)).toEqual({ gone: null, deep: { kept: 1, gone: null }, $version: 3 })
    expect(device.messages).toEqual([])
    await device.end()
  })

  it('G27 leaves devices with what their twins hold, whichever were lost', async () => {
    const steps = fc.array(fc.record({ patch: arbitraryPatch, isLost: fc.boolean() }), { minLength: 1, maxLength: 6 })
    let count = 0

    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 20, maxLength: 20 }), async (fleet) => {
        const devices = await Promise.all(
          fleet.map(async (steps) => {
            const id = `any-${count++}`
            const device = await connected(id)
            for (const { patch, isLost } of steps) {
              const change = await hub.commit(id, patch)
              if (!isLost) await hub.push(change)
            }
            return { id, device, version: 1 + steps.length }
          }),
        )
        vi.advanceTimersByTime(30_000)

        for (const { id, device, version } of devices) {
          await eventually(() => expect(device.messages.at(-1)?.topic).toBe(`${notification}${version}`))
          const properties = await readProperties(gateway.hub.db, storedIdentity(id))
          expect(device.messages.map(({ payload }) => JSON.parse(payload)).reduce(merge, {})).toEqual(
            properties?.desired,
          )
          await device.end()
        }
      }),
      { numRuns: 3, endOnFailure: true },
    )
  })

  it.each([
    [
      'a replacement',
      (id: IdentityKey) => replaceTwin(gateway.hub.db, id, { tags: {}, desired: { b: 1 } }, { etag: null }, noon),
    ],
    ['a cleared section', (id: IdentityKey) => patchTwin(gateway.hub.db, id, { desired: null }, { etag: null }, noon)],
  ])(
    'G27 of which it is not known what it removed ends the connection, and the device reads its twin: %s',
    async (name, change) => {
      const id = storedIdentity(name.replaceAll(' ', '-'))
      const device = await connected(id)
      await hub.change(id, { a: 1 })
      await told(device)
      const ended = nextEnd(gateway, id)
      await change(id)
      const truth = await readProperties(gateway.hub.db, id)

      vi.advanceTimersByTime(30_000)
      const reason = await ended
      await device.closed
      const again = await connectDevice(gateway, await hub.read(id))
      await again.publish(`${get}1`)
      const { payload } = await again.take('$iothub/twin/res/200')
      await hub.change(id, { c: 1 })

      expect(reason).toBe('stale')
      expect(device.messages).toEqual([])
      expect(JSON.parse(payload)).toEqual(truth)
      expect(await told(again)).toEqual({ c: 1, $version: 4 })
      await again.end()
    },
  )

  it('G27 that was lost is made good as soon as Postgres is back', async () => {
    const device = await connected('cut')
    const failures: string[] = []
    const off = gateway.hub.events.on('gatewayFailed', ({ step }) => failures.push(step))
    await hub.commit('cut', { a: 1 })
    const third = await hub.commit('cut', { b: 1 })

    await gateway.hub.db.transaction(async (tx) => {
      await tx.execute('lock table twins in access exclusive mode')
      await hub.push(third)
      await eventually(async () => {
        const { rows } = await gateway.hub.db.execute(`
          select pg_terminate_backend(pid)
            from pg_stat_activity
           where datname = current_database()
             and wait_event_type = 'Lock'
             and query like '%desired_removals%'`)
        expect(rows).toHaveLength(1)
      })
    })

    expect(await told(device)).toEqual({ a: 1, b: 1, $version: 3 })
    expect(failures).toEqual(['notify'])
    off()
    await device.end()
  })

  it('G27 ends the connection when 256 others wait for one that was lost', async () => {
    const device = await connected('flooded')
    const ended = nextEnd(gateway, 'flooded')
    const { versions } = await hub.commit('flooded', { a: 1 })
    const [{ identity } = raise()] = versions
    const [{ gatewayId } = raise()] = await findOwners(gateway.hub.db, [identity])

    for (const first of [3, 103, 203]) {
      const devices = Array.from({ length: 100 }, (_, index) => ({ identity, version: first + index }))
      await gateway.hub.bus.pushDesired(gatewayId, { patch: { b: 1 }, devices })
    }

    expect(await ended).toBe('slow')
    await device.closed
  })

  it('G26 ends the connection of a device that does not read what it is told', async () => {
    const device = await connected('clogged')
    const ended = nextEnd(gateway, 'clogged')
    const { versions } = await hub.commit('clogged', { x: 1 })
    const [{ identity } = raise()] = versions

    device.client.stream.pause()
    const patch = { x: 'x'.repeat(250_000) }
    for (let version = 2; version <= 100; version++) await hub.push({ patch, versions: [{ identity, version }] })

    expect(await ended).toBe('slow')
    await device.end('drop')
  })
})

/** What a device does with what it is told. */
function merge(known: JsonObject, patch: JsonObject): JsonObject {
  const merged = { ...known }
  for (const [key, value] of Object.entries(patch)) {
    const before = merged[key]
    if (value === null) delete merged[key]
    else merged[key] = isJsonObject(value) ? merge(isJsonObject(before) ? before : {}, value) : value
  }
  return merged
}

function raise(): never {
  throw new Error('there is no such change')
}
