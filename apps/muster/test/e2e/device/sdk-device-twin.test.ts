import { eventually } from '@muster/testkit'
import { Client, type Twin } from 'azure-iot-device'
import { JobClient, Registry } from 'azure-iothub'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestHub } from '../../hub.ts'
import { ending } from '../../jobs.ts'
import { inCallbackForm } from '../callback-form.ts'
import { failureOf } from '../failure-of.ts'
import { registerDevice, transports } from '../sdk-devices.ts'
import { startSdkHub } from '../sdk-hub.ts'

let hub: TestHub
let registry: Registry
beforeAll(async () => {
  hub = await startSdkHub()
  registry = Registry.fromConnectionString(hub.connectionString)
})
afterAll(() => hub[Symbol.asyncDispose]())

describe.each(transports)('the twin of a device over %s', (name, transport) => {
  /** A device that is connected and has read its twin. */
  const givenTwin = async (purpose: string, desired: object = {}) => {
    const { deviceId, key } = await registerDevice(registry, `${purpose}-${name}`)
    await registry.updateTwin(deviceId, { tags: { seen: 'by the service alone' }, properties: { desired } }, '*')
    const client = Client.fromConnectionString(
      `HostName=localhost;DeviceId=${deviceId};SharedAccessKey=${key}`,
      transport,
    )
    await client.open()
    const twin = await client.getTwin()
    return { deviceId, twin, client, [Symbol.asyncDispose]: async () => void (await client.close()) }
  }

  it('device Client.getTwin and device Twin.get read desired and reported properties', async () => {
    await using given = await givenTwin('reads', { interval: 5, unit: { of: 's' } })
    const { client, twin, deviceId } = given
    const first = structuredClone(twin.properties.desired)
    await registry.updateTwin(deviceId, { properties: { desired: { unit: null } } }, '*')

    const same = await client.getTwin()
    const [called] = await inCallbackForm((done) => client.getTwin(done))
    const [got] = await inCallbackForm((done) => twin.get(done))
    await twin.get()

    expect(first).toEqual({ interval: 5, unit: { of: 's' }, $version: 2 })
    expect(twin.properties.desired).toEqual({ interval: 5, $version: 3 })
    expect(twin.properties.reported).toMatchObject({ $version: 1 })
    for (const again of [same, called, got]) expect(again).toBe(twin)
  })

  it('reported properties are merged, and read by the service', async () => {
    await using given = await givenTwin('reports')
    const { twin, deviceId } = given

    await report(twin, { firmware: '1.0', battery: { volts: 3.7, cells: [1, 2] }, old: true })
    await report(twin, { battery: { cells: null }, old: null })
    const { responseBody } = await registry.getTwin(deviceId)

    expect(responseBody.properties.reported).toMatchObject({ firmware: '1.0', battery: { volts: 3.7 }, $version: 3 })
    expect(responseBody.properties.reported.battery).not.toHaveProperty('cells')
    expect(twin.properties.reported).toMatchObject({ firmware: '1.0', battery: { volts: 3.7 } })
  })

  it.each([
    ['no object', 'off', /object/],
    ['a key with a dot', { 'a.b': 1 }, /a\.b/],
    ['over 32 KB', Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`k${n}`, 'x'.repeat(4_000)])), /32768/],
  ])(
    'reported properties that are %s are an error with the reason, and the connection stays',
    async (_, patch, reason) => {
      await using given = await givenTwin(`refuses-${String(reason).replaceAll(/\W/g, '')}`)

      const { message } = await failureOf(report(given.twin, patch))
      await report(given.twin, { fine: true })

      expect(message).toMatch(reason)
      expect((await registry.getTwin(given.deviceId)).responseBody.properties.reported).toMatchObject({ fine: true })
    },
  )

  it('a listener for desired properties is told of all of them, then of each change, also below a name', async () => {
    await using given = await givenTwin('listens', { interval: 5, limits: { high: 9 } })
    const { twin, deviceId } = given
    const all: unknown[] = []
    const high: unknown[] = []
    twin.on('properties.desired', (patch: unknown) => all.push(structuredClone(patch)))
    twin.on('properties.desired.limits.high', (value: unknown) => high.push(value))
    await enabled(twin)

    await registry.updateTwin(deviceId, { properties: { desired: { interval: null, limits: { high: 8 } } } }, '*')
    await eventually(() => expect(all).toHaveLength(2))

    expect(all).toEqual([
      { interval: 5, limits: { high: 9 }, $version: 2 },
      { interval: null, limits: { high: 8 }, $version: 3 },
    ])
    expect(high).toEqual([9, 8])
    expect(twin.properties.desired).toEqual({ limits: { high: 8 }, $version: 3 })
  })

  it('the cached desired properties follow a replaced twin, and one whose section was cleared', async () => {
    await using given = await givenTwin('follows', { a: 1, b: { c: 2, d: 3 } })
    const { twin, deviceId } = given
    twin.on('properties.desired', () => {})
    await enabled(twin)

    await hub.request('PUT', `/twins/${deviceId}`, { properties: { desired: { b: { c: 4 }, e: 5 } } })
    await eventually(() => expect(twin.properties.desired).toEqual({ b: { c: 4 }, e: 5, $version: 3 }))
    await registry.updateTwin(deviceId, { properties: { desired: null } }, '*')

    await eventually(() => expect(twin.properties.desired).toEqual({ $version: 4 }))
  })

  it('device Twin.enableTwinDesiredPropertiesUpdates subscribes once more without harm', async () => {
    await using given = await givenTwin('enables')
    const { twin, deviceId } = given
    const told: unknown[] = []
    twin.on('properties.desired.interval', (interval: unknown) => told.push(interval))

    await enabled(twin)
    await enabled(twin)
    await registry.updateTwin(deviceId, { properties: { desired: { interval: 7 } } }, '*')

    await eventually(() => expect(told).toEqual([7]))
  })

  it('device Twin.setRetryPolicy without retries leaves the twin as usable', async () => {
    await using given = await givenTwin('policy', { interval: 5 })

    given.twin.setRetryPolicy({ shouldRetry: () => false, nextRetryTimeout: () => -1 })
    await given.twin.get()

    expect(given.twin.properties.desired).toEqual({ interval: 5, $version: 2 })
  })

  it('a twin job tells the device', async () => {
    await using given = await givenTwin('job')
    const { twin, deviceId } = given
    const told: unknown[] = []
    twin.on('properties.desired.interval', (interval: unknown) => told.push(interval))
    await enabled(twin)
    const jobs = JobClient.fromConnectionString(hub.connectionString)

    const patch = { etag: '*', properties: { desired: { interval: 30 } } }
    await jobs.scheduleTwinUpdate(`tells-${name}`, `deviceId = '${deviceId}'`, patch)
    await ending(hub, `tells-${name}`)

    await eventually(() => expect(told).toEqual([30]))
  })
})

function report(twin: Twin, patch: unknown): Promise<unknown> {
  return inCallbackForm((done) => twin.properties.reported.update(patch, done))
}

/** Resolves when the hub has acknowledged the subscription to desired properties. */
function enabled(twin: Twin): Promise<unknown> {
  return inCallbackForm((done) => twin.enableTwinDesiredPropertiesUpdates(done))
}
