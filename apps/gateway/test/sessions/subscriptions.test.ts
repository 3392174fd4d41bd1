import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectDevice, desired, methods, responses } from '../device.ts'
import { openHub, type TestGateway, type TestHub } from '../hub.ts'
import {
  connack,
  connectPacket,
  openRaw,
  packet,
  pingRequest,
  pingResponse,
  subscribePacket,
  text,
  uint16,
} from '../raw.ts'

let hub: TestHub
let gateway: TestGateway
beforeAll(async () => {
  hub = await openHub()
  gateway = await hub.startGateway()
})
afterAll(() => hub[Symbol.asyncDispose]())

describe('a subscription', () => {
  it('G10 is granted for the filters of the contract, at QoS 1 at most, and refused for others', async () => {
    const device = await connectDevice(gateway, await hub.addDevice('asks'))

    expect(await device.subscribe([responses, desired, methods], 1)).toEqual([1, 1, 1])
    expect(await device.subscribe([responses], 0)).toEqual([0])
    expect(await device.subscribe(['devices/asks/messages/devicebound/#'], 2)).toEqual([1])
    expect(await device.subscribe(['foo/#', methods, 'devices/other/messages/devicebound/#'], 1)).toEqual([128, 1, 128])
    await device.end()
  })

  it('G11 is refused when it is the sixth, until another is given up', async () => {
    const device = await connectDevice(gateway, await hub.addDevice('many'))
    const named = (name: string) => `$iothub/methods/POST/${name}/#`

    expect(await device.subscribe(['a', 'b', 'c', 'd', 'e', 'f'].map(named), 0)).toEqual([0, 0, 0, 0, 0, 128])
    expect(await device.subscribe([named('a')], 1)).toEqual([1])
    await device.client.unsubscribeAsync(named('b'))
    expect(await device.subscribe([named('f')])).toEqual([0])
    await device.end()
  })
})

describe('a SUBSCRIBE', () => {
  it.each([
    ['the same filter twice', [methods, methods], [1, 1]],
    ['wildcards in wrong places', ['a#', '#/a', 'a+/b', methods], [0x80, 0x80, 0x80, 1]],
    ['more levels than anyone needs', ['/'.repeat(500), methods], [0x80, 1]],
    ['an empty filter', ['', responses], [0x80, 1]],
  ])('G10 has an answer for each filter: %s', async (name, filters, granted) => {
    const identity = await hub.addDevice(name.replaceAll(' ', '-'))
    const client = openRaw(gateway)
    client.send(connectPacket(identity))
    await client.receive(1)

    client.send(subscribePacket(filters, { qos: 2 }), pingRequest)

    const packets = await client.receive(3)
    expect(packets).toContainEqual(packet(0x90, uint16(1), Buffer.from(granted)))
    expect(packets).toContainEqual(pingResponse)
    client.stream.destroy()
  })
})

describe('an UNSUBSCRIBE', () => {
  it.each([
    ['of what was never subscribed', 'foo/#'],
    ['of more levels than anyone needs', '/'.repeat(500)],
  ])('G10 is acknowledged, %s', async (name, filter) => {
    const client = openRaw(gateway)
    client.send(connectPacket(await hub.addDevice(name.replaceAll(' ', '-'))))

    client.send(packet(0xa2, uint16(7), text(filter)))

    expect(await client.receive(2)).toEqual([connack(0), packet(0xb0, uint16(7))])
    client.stream.destroy()
  })
})

describe('a persistent session', () => {
  it('G15 has its subscriptions when the device comes back, without subscribing again', async () => {
    const identity = await hub.addDevice('comes-back')
    const before = await connectDevice(gateway, identity)
    await before.subscribe([responses, desired, methods], 1)
    await before.end('drop')

    const after = await connectDevice(gateway, identity)
    await hub.change('comes-back', { x: 1 })

    expect([before.sessionPresent, after.sessionPresent]).toEqual([false, true])
    await after.take('$iothub/twin/PATCH/properties/desired/?$version=2')
    await after.publish('$iothub/twin/GET/?$rid=1')
    await after.take('$iothub/twin/res/200/?$rid=1')
    await after.end()
  })

  it('G15 has them on another gateway, and after the one that it was on is gone', async () => {
    const identity = await hub.addDevice('wanders')
    const first = await hub.startGateway()
    const before = await connectDevice(first, identity)
    await before.subscribe([desired])
    await first.stop()
    await before.closed

    const after = await connectDevice(gateway, identity)
    await hub.change('wanders', { x: 1 })

    expect(after.sessionPresent).toBe(true)
    await after.take('$iothub/twin/PATCH/properties/desired/?$version=2')
    await after.end()
  })

  it('G15 lacks what the device has unsubscribed', async () => {
    const identity = await hub.addDevice('gives-up')
    const before = await connectDevice(gateway, identity)
    await before.subscribe([responses, desired])
    await before.client.unsubscribeAsync(desired)
    await before.end()

    const after = await connectDevice(gateway, identity)
    await hub.change('gives-up', { x: 1 })
    await after.publish('$iothub/twin/GET/?$rid=1')
    await after.take('$iothub/twin/res/200/?$rid=1')

    expect(after.messages).toEqual([])
    await after.end()
  })

  it('G16 is dropped by a clean one, which leaves nothing behind', async () => {
    const identity = await hub.addDevice('clean')
    const persistent = await connectDevice(gateway, identity)
    await persistent.subscribe([responses])
    await persistent.end()

    const clean = await connectDevice(gateway, identity, { clean: true })
    await clean.subscribe([desired])
    await hub.change('clean', { x: 1 })
    await clean.take('$iothub/twin/PATCH/properties/desired/?$version=2')
    await clean.client.unsubscribeAsync(desired)
    await clean.subscribe([methods])
    await clean.end()
    const after = await connectDevice(gateway, identity)

    expect([clean.sessionPresent, after.sessionPresent]).toEqual([false, false])
    await after.end()
  })
})
