import { once } from 'node:events'
import { readProperties } from '@muster/store'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { methods } from '../device.ts'
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

let hub: TestHub
let gateway: TestGateway
beforeAll(async () => {
  hub = await openHub()
  gateway = await hub.startGateway()
})
afterAll(() => hub[Symbol.asyncDispose]())

const disconnect = packet(0xe0)
const filter = '$iothub/twin/res/#'
const puback = (packetId: number) => packet(0x40, uint16(packetId))
const suback = packet(0x90, uint16(1), Buffer.from([0]))

const pairs = {
  SUBSCRIBE: [subscribePacket([filter]), suback],
  UNSUBSCRIBE: [packet(0xa2, uint16(1), text(filter)), packet(0xb0, uint16(1))],
  PUBLISH: [publishPacket('$iothub/twin/GET/?$rid=1'), puback(1)],
  PINGREQ: [pingRequest, pingResponse],
} as const

describe.each(['TLS', 'WebSocket'] as const)('what comes over %s before the CONNACK is sent', (transport) => {
  it.each(['SUBSCRIBE', 'UNSUBSCRIBE', 'PUBLISH', 'PINGREQ'] as const)(
    'G57 is taken after it, however it is cut: %s',
    async (name) => {
      const device = await hub.addDevice(`${transport}-${name}`)
      const [request, answer] = pairs[name]
      const connect = connectPacket(device, { flags: 0xc2 })
      const cuts = [
        [connect, request],
        [Buffer.concat([connect, request.subarray(0, 1)]), request.subarray(1)],
        [connect, ...Array.from(request, (byte) => Buffer.from([byte]))],
      ]

      for (const pieces of Array.from({ length: 10 }, () => cuts).flat()) {
        const client = openRaw(gateway, transport)
        for (const piece of pieces) client.send(piece)

        expect(await client.receive(2)).toEqual([connack(0), answer])
        client.stream.destroy()
      }
    },
  )

  it('G57 is not taken when the CONNECT is refused', async () => {
    const device = await hub.addDevice(`${transport}-refused`)
    const other = await hub.addDevice(`${transport}-other`)

    for (let n = 0; n < 10; n += 1) {
      const client = openRaw(gateway, transport)
      client.send(connectPacket({ ...device, authentication: other.authentication }))
      client.send(pingRequest)
      client.send(pairs.UNSUBSCRIBE[0])

      expect(await client.closed).toEqual(connack(5))
    }
  })

  it('G57 may be a thousand packets in one piece, which are taken in their order', async () => {
    const device = await hub.addDevice(`${transport}-thousand`)
    const events = `devices/${transport}-thousand/messages/events/`
    const ids = Array.from({ length: 1_000 }, (_, n) => n + 1)
    const client = openRaw(gateway, transport)

    client.send(
      connectPacket(device),
      subscribePacket([filter]),
      ...ids.map((packetId) => publishPacket(events, { packetId })),
    )

    const packets = await client.receive(1_002)
    expect(packets.filter((received) => received[0] !== 0x90)).toEqual([connack(0), ...ids.map(puback)])
    expect(packets).toContainEqual(suback)
    client.stream.destroy()
  })
})

it('G57 G28 all that a device sends in one piece is done, from CONNECT to DISCONNECT', async () => {
  const device = await hub.addDevice('at-once')
  const patch = publishPacket('$iothub/twin/PATCH/properties/reported/?$rid=1', { payload: '{"all":true}' })
  const client = openRaw(gateway)

  client.send(connectPacket(device), subscribePacket([methods]), patch, disconnect)
  client.stream.end()

  expect((await client.closed).subarray(0, 4)).toEqual(connack(0))
  await eventually(async () => {
    const properties = await readProperties(gateway.hub.db, device.identity)
    expect(properties?.reported).toEqual({ all: true, $version: 2 })
  })
})

it('G57 what comes before the CONNACK is not read for as long as that takes: memory does not grow', async () => {
  const device = await hub.addDevice('endless')
  const telemetry = publishPacket('devices/endless/messages/events/', { payload: 'x'.repeat(200_000) })
  const client = openRaw(gateway)
  let isRead = false
  client.stream.once('drain', () => {
    isRead = true
  })
  await once(client.stream, 'secureConnect')

  await gateway.hub.db.transaction(async (tx) => {
    await tx.execute('lock table sessions in access exclusive mode')
    client.send(connectPacket(device), ...Array.from({ length: 200 }, () => telemetry))
    // It hears after ten seconds that the hub cannot decide.
    expect((await client.closed).subarray(0, 4)).toEqual(connack(3))
  })

  expect(isRead).toBe(false)
})
