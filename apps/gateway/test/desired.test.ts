import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { connectDevice, desired, methods, nextEnd, responses, type TestDevice } from './device.ts'
import { openHub, type TestGateway, type TestHub } from './hub.ts'

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

function raise(): never {
  throw new Error('there is no such change')
}
