import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectDevice, methods, nextEnd, responses } from './device.ts'
import { openHub, type TestGateway, type TestHub } from './hub.ts'

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
