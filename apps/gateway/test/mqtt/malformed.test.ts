import { connect as connectTcp } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openHub, type TestGateway, type TestHub } from '../hub.ts'
import {
  connack,
  connectPacket,
  openRaw,
  packet,
  pingRequest,
  pingResponse,
  publishPacket,
  subscribePacket,
  text,
  uint16,
} from '../raw.ts'
import { type HonestDevice, startHonestDevice } from './honest.ts'

let hub: TestHub
let gateway: TestGateway
let honest: HonestDevice
beforeAll(async () => {
  hub = await openHub()
  gateway = await hub.startGateway()
  honest = await startHonestDevice(hub, gateway, 'honest')
})
// Whatever the others do, this one is served: it throws when it was not.
afterAll(async () => {
  await honest.stop()
  expect(honest.answered).toBeGreaterThan(0)
  await hub[Symbol.asyncDispose]()
})

const none = Buffer.alloc(0)
const events = (deviceId: string) => `devices/${deviceId}/messages/events/`
const twinGet = '$iothub/twin/GET/?$rid=1'

describe('a first packet', () => {
  const good = (deviceId: string) => hub.addDevice(deviceId)

  it.each([
    ['MQTT 3.1', { protocol: 'MQIsdp', level: 3 }, connack(1)],
    ['3.1 under the newer name', { level: 3 }, connack(1)],
    ['3.1.1 under the older name', { protocol: 'MQIsdp' }, connack(1)],
    ['MQTT 5', { level: 5, afterKeepAlive: Buffer.from([0]) }, connack(1)],
    ['a level that does not exist', { level: 6 }, connack(1)],
    ['level 0', { level: 0 }, connack(1)],
    ['a bridge', { level: 0x84 }, connack(1)],
    ['another protocol', { protocol: 'HTTP' }, none],
    ['the reserved flag', { flags: 0xc1 }, none],
    ['a will retained without a will', { flags: 0xe0 }, none],
    ['a QoS for no will', { flags: 0xc8 }, none],
    ['a will that is not there', { flags: 0xc4 }, none],
    ['a NUL in the client id', { clientId: 'a\0b' }, none],
    ['a client id that is no UTF-8', { clientId: Buffer.from([0xc3, 0x28]) }, none],
    ['a user name that is no UTF-8', { userName: Buffer.from([0xed, 0xa0, 0x80]) }, none],
    ['no client id', { clientId: '' }, connack(2)],
    ['no user name', { userName: '' }, connack(4)],
  ])(
    'G2 G18 of %s is answered with what is wrong, or with nothing, and the connection ends',
    async (name, change, answer) => {
      const device = await good(`first-${name.replaceAll(/\W/g, '-')}`)
      const client = openRaw(gateway)

      client.send(connectPacket(device, change))

      expect(await client.closed).toEqual(answer)
    },
  )

  it('G18 with a will of QoS 3 ends the connection', async () => {
    const device = await good('will-3')
    const client = openRaw(gateway)
    const will = [text(events('will-3')), text('bye')]

    const [header, rest] = [connectPacket(device, { flags: 0xc0 | 0x1c }), text('will-3')]
    const body = header.subarray(3)
    const at = body.indexOf(rest) + rest.length
    client.send(packet(0x10, body.subarray(0, at), ...will, body.subarray(at)))

    expect(await client.closed).toEqual(none)
  })

  it.each([
    ['PUBLISH', publishPacket(twinGet)],
    ['SUBSCRIBE', subscribePacket(['$iothub/twin/res/#'])],
    ['PINGREQ', pingRequest],
    ['DISCONNECT', packet(0xe0)],
    ['PUBACK', packet(0x40, uint16(1))],
    ['CONNACK', connack(0)],
    ['type 0', packet(0x00)],
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ['a length without an end', Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0xff])],
    ['a length of 268 million bytes', Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f])],
  ])('G18 that is %s ends the connection without a word', async (_, bytes) => {
    const client = openRaw(gateway)

    client.send(bytes)

    expect(await client.closed).toEqual(none)
  })
})

describe('a packet after the CONNACK', () => {
  const other = 'devices/honest/messages/events/'
  it.each([
    ['another CONNECT', packet(0x10, text('MQTT'), Buffer.from([4, 2, 0, 60]), text('after'))],
    ['of a server: CONNACK', connack(0)],
    ['of a server: SUBACK', packet(0x90, uint16(1), Buffer.from([0]))],
    ['of a server: UNSUBACK', packet(0xb0, uint16(1))],
    ['of a server: PINGRESP', pingResponse],
    ['of type 0', packet(0x00)],
    ['of type 15', packet(0xf0)],
    ['PINGREQ with reserved flags', packet(0xc1)],
    ['PINGREQ with a body', packet(0xc0, Buffer.from([1]))],
    ['DISCONNECT with reserved flags', packet(0xe8)],
    ['SUBSCRIBE with reserved flags', packet(0x80, uint16(1), text('$iothub/twin/res/#'), Buffer.from([0]))],
    ['SUBSCRIBE without a filter', packet(0x82, uint16(1))],
    ['SUBSCRIBE without anything', packet(0x82)],
    ['SUBSCRIBE with packet id 0', subscribePacket(['$iothub/twin/res/#'], { packetId: 0 })],
    ['SUBSCRIBE at QoS 3', subscribePacket(['$iothub/twin/res/#'], { qos: 3 })],
    ['SUBSCRIBE with a filter that is longer than the packet', packet(0x82, uint16(1), uint16(999), text('$iothub'))],
    ['SUBSCRIBE with a filter without a QoS', packet(0x82, uint16(1), text('$iothub/twin/res/#'))],
    ['SUBSCRIBE with a filter that is no UTF-8', subscribePacket([Buffer.from([0xff, 0xfe])])],
    ['SUBSCRIBE with a NUL', subscribePacket(['$iothub/twin/res/#\0'])],
    ['UNSUBSCRIBE without a filter', packet(0xa2, uint16(1))],
    ['UNSUBSCRIBE with packet id 0', packet(0xa2, uint16(0), text('$iothub/twin/res/#'))],
    ['UNSUBSCRIBE with reserved flags', packet(0xa0, uint16(1), text('$iothub/twin/res/#'))],
    ['PUBACK with packet id 0', packet(0x40, uint16(0))],
    ['PUBACK without a packet id', packet(0x40)],
    ['PUBACK that is too long', packet(0x40, uint16(1), uint16(1))],
    ['PUBREL with reserved flags', packet(0x60, uint16(1))],
    ['PUBLISH with packet id 0', publishPacket(twinGet, { packetId: 0 })],
    ['PUBLISH at QoS 2', publishPacket(twinGet, { flags: 0x04 })],
    ['PUBLISH at QoS 3', publishPacket(twinGet, { flags: 0x06 })],
    ['PUBLISH without a topic', publishPacket('')],
    ['PUBLISH without anything', packet(0x32)],
    ['PUBLISH with a topic that is longer than the packet', packet(0x32, uint16(999), Buffer.from(twinGet))],
    ['PUBLISH whose packet id is in the next one', Buffer.concat([packet(0x32, text(twinGet)), pingRequest])],
    ['PUBLISH to a topic that is no UTF-8', publishPacket(Buffer.from([0x24, 0xc0, 0xaf]))],
    ['PUBLISH to a topic with a surrogate', publishPacket(Buffer.from([...Buffer.from(twinGet), 0xed, 0xa0, 0x80]))],
    ['PUBLISH to a topic with a NUL', publishPacket(`${twinGet}\0`)],
    ['PUBLISH to a topic with a wildcard', publishPacket('$iothub/twin/GET/#')],
    ['PUBLISH to the topic of another device', publishPacket(other)],
    ['PUBLISH to the topic of another device, at QoS 0', publishPacket(other, { flags: 0, packetId: null })],
    ['PUBLISH to the topic of a module', publishPacket('devices/after/modules/m/messages/events/')],
    ['PUBLISH to a topic of the hub', publishPacket('$iothub/methods/POST/reboot/?$rid=1')],
    ['PUBLISH to a topic of brokers', publishPacket('$SYS/broker/uptime')],
    ['PUBLISH to a topic with a thousand levels', publishPacket('/'.repeat(1_000))],
    ['a length without an end', Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0xff])],
    ['a length over the limit', Buffer.from([0x30, 0xff, 0xff, 0x7f])],
    ['random bytes', Buffer.from('8f0d1b2a993c00ff10', 'hex')],
  ])('G12 G13 G18 %s ends the connection without an answer', async (_, bytes) => {
    const device = await hub.read('after').catch(() => hub.addDevice('after'))
    const client = openRaw(gateway)

    client.send(connectPacket(device, { flags: 0xc2 }))
    await client.receive(1)
    client.send(bytes)

    expect(await client.closed).toEqual(connack(0))
  })
})

describe('a packet that is cut', () => {
  const packets = {
    CONNECT: null,
    SUBSCRIBE: subscribePacket(['$iothub/twin/res/#']),
    PUBLISH: publishPacket(twinGet, { payload: '{}' }),
    PINGREQ: pingRequest,
  }

  it.each(['CONNECT', 'SUBSCRIBE', 'PUBLISH', 'PINGREQ'] as const)(
    'G18 at any byte of a %s, and then closed, ends with it',
    async (name) => {
      const device = await hub.addDevice(`closed-in-${name}`)
      const whole = packets[name] ?? connectPacket(device)

      for (let length = 0; length < whole.length; length += 1) {
        const client = openRaw(gateway)
        const before = name === 'CONNECT' ? none : connectPacket(device, { flags: 0xc2 })
        client.send(before, whole.subarray(0, length))
        if (name !== 'CONNECT') await client.receive(1)
        client.stream.end()

        expect(await client.closed).toEqual(name === 'CONNECT' ? none : connack(0))
      }
    },
  )

  it.each(['SUBSCRIBE', 'PUBLISH', 'PINGREQ'] as const)(
    'G9 at any byte of a %s, and then silent, ends with the keep-alive',
    async (name) => {
      const whole = packets[name]
      const lengths = Array.from(whole, (_, length) => length)

      const answers = await Promise.all(
        lengths.map(async (length) => {
          const device = await hub.addDevice(`silent-in-${name}-${length}`)
          const client = openRaw(gateway)
          client.send(connectPacket(device, { keepAlive: 1 }), whole.subarray(0, length))
          return client.closed
        }),
      )

      expect(answers).toEqual(lengths.map(() => connack(0)))
    },
  )

  it('G19 at any byte of a CONNECT, and then silent, ends after ten seconds', async () => {
    const whole = connectPacket(await hub.addDevice('silent-in-connect'))
    const lengths = Array.from(whole, (_, length) => length)

    const answers = await Promise.all(
      lengths.map((length) => {
        const client = openRaw(gateway)
        client.send(whole.subarray(0, length))
        return client.closed
      }),
    )

    expect(answers).toEqual(lengths.map(() => none))
  })

  it('G18 into pieces of one byte is taken as a whole', async () => {
    const device = await hub.addDevice('in-pieces')
    const client = openRaw(gateway)

    for (const byte of connectPacket(device)) client.send(Buffer.from([byte]))
    for (const byte of subscribePacket(['$iothub/twin/res/#'])) client.send(Buffer.from([byte]))
    await client.receive(2)
    for (const byte of pingRequest) client.send(Buffer.from([byte]))

    const suback = packet(0x90, uint16(1), Buffer.from([0]))
    expect(await client.receive(3)).toEqual([connack(0), suback, pingResponse])
    client.stream.destroy()
  })
})

describe('a connection', () => {
  it('G19 that begins with something else than TLS ends', async () => {
    const socket = connectTcp(gateway.mqttsPort, 'localhost')
    socket.on('error', () => {}).resume()

    socket.write(connectPacket(await hub.read('honest')))

    await new Promise((resolve) => socket.once('close', resolve))
  })

  it('G19 that begins with nothing at all ends after ten seconds', async () => {
    const socket = connectTcp(gateway.mqttsPort, 'localhost')
    socket.on('error', () => {}).resume()

    await new Promise((resolve) => socket.once('close', resolve))
  })

  it('G18 of which the device has closed its half is over', async () => {
    const identity = await hub.addDevice('half-open')
    const client = openRaw(gateway)
    client.send(connectPacket(identity))
    await client.receive(1)

    client.stream.end()

    expect(await client.closed).toEqual(connack(0))
  })
})
