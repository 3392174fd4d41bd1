import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectDevice, methods, nextEnd, responses } from '../device.ts'
import { openHub, type TestGateway, type TestHub } from '../hub.ts'
import { connack, connectPacket, openRaw, packet, publishPacket, uint16 } from '../raw.ts'

let hub: TestHub
let gateway: TestGateway
beforeAll(async () => {
  hub = await openHub()
  gateway = await hub.startGateway()
})
afterAll(() => hub[Symbol.asyncDispose]())

describe('telemetry', () => {
  it('G14 is acknowledged, counted, and forwarded to nobody', async () => {
    const received: string[] = []
    const off = gateway.hub.events.on('telemetryReceived', ({ deviceId }) => received.push(deviceId))
    const sender = await connectDevice(gateway, await hub.addDevice('sender'))
    const listener = await connectDevice(gateway, await hub.addDevice('listener'))
    const foreign = 'devices/sender/messages/events/#'

    const granted = await listener.subscribe([foreign, '#', 'devices/listener/messages/devicebound/#'])
    await sender.publish('devices/sender/messages/events/$.ct=text&x=1', '21.5', 1)
    await sender.publish('devices/sender/messages/events/', '21.5', 0)
    await eventually(() => expect(received).toEqual(['sender', 'sender']))

    expect(granted).toEqual([128, 128, 0])
    expect(listener.messages).toEqual([])
    off()
    await Promise.all([sender.end(), listener.end()])
  })

  it('G12 may name any properties in its topic, and as many levels as it has bytes', async () => {
    let count = 0
    const off = gateway.hub.events.on('telemetryReceived', () => {
      count += 1
    })
    const device = await connectDevice(gateway, await hub.addDevice('names'))
    const properties = [
      '$.mid=1&$.cid=2&$.uid=3&$.to=%2Fdevices%2Fnames&$.ct=application%2Fjson&$.ce=utf-8',
      '%24.on=out&%24.exp=2030-01-01T00%3A00%3A00Z&%24.sub=model&%24.ifid=urn%3Aa&iothub-creation-time-utc=now',
      'key',
      'key=',
      'a=b&key&other=&%C3%A4=%E2%82%AC',
      'a=%zz&&=&==',
      'a=b/',
      'a/'.repeat(30_000),
    ]

    for (const text of properties) await device.publish(`devices/names/messages/events/${text}`, '21.5', 1)

    expect(count).toBe(properties.length)
    off()
    await device.end()
  })

  it('G12 is acknowledged at QoS 1, as what concerns the twin and methods is, retained or sent once more', async () => {
    const identity = await hub.addDevice('flags')
    const client = openRaw(gateway)
    client.send(connectPacket(identity))
    const topics = [
      'devices/flags/messages/events/',
      '$iothub/twin/GET/?$rid=1',
      '$iothub/twin/PATCH/properties/reported/?$rid=1',
      '$iothub/methods/res/200/?$rid=1',
    ]
    const [atLeastOnce, retain, dup] = [0x02, 0x01, 0x08]
    const flags = [atLeastOnce, atLeastOnce | retain, atLeastOnce | dup, atLeastOnce | retain | dup]
    const packets = topics.flatMap((topic) => flags.map((flag) => ({ topic, flags: flag })))

    client.send(...packets.map(({ topic, flags }, n) => publishPacket(topic, { flags, packetId: n + 1 })))

    const acknowledged = packets.map((_, n) => packet(0x40, uint16(n + 1)))
    expect(await client.receive(1 + packets.length)).toEqual([connack(0), ...acknowledged])
    client.stream.destroy()
  })

  it('G14 is retained for nobody', async () => {
    const identity = await hub.addDevice('retains')
    const device = await connectDevice(gateway, identity)

    await device.client.publishAsync('devices/retains/messages/events/', 'x', { qos: 1, retain: true })
    await device.subscribe([responses, methods])
    await device.publish('$iothub/twin/GET/?$rid=1')

    expect((await device.take('')).topic).toBe('$iothub/twin/res/200/?$rid=1')
    await device.end()
  })

  it('G14 may be a will, which is counted when the device goes without a DISCONNECT', async () => {
    const received: string[] = []
    const off = gateway.hub.events.on('telemetryReceived', ({ deviceId }) => received.push(deviceId))
    const identity = await hub.addDevice('last-words')
    const will = {
      topic: 'devices/last-words/messages/events/',
      payload: Buffer.from('bye'),
      qos: 1,
      retain: true,
    } as const

    for (const how of ['disconnect', 'drop'] as const) {
      const device = await connectDevice(gateway, identity, { will })
      const ended = nextEnd(gateway, 'last-words')
      await device.end(how)
      expect(await ended).toBe(how === 'disconnect' ? 'disconnect' : 'lost')
    }
    expect(received).toEqual(['last-words'])

    const ended = nextEnd(gateway, 'last-words')
    const first = await connectDevice(gateway, identity, { will })
    const second = await connectDevice(gateway, identity)
    await first.closed
    expect([await ended, received]).toEqual(['takeover', ['last-words', 'last-words']])
    await second.end()
    off()
  })
})
