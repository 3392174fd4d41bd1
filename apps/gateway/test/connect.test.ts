import { signSasToken } from '@muster/auth'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectDevice, methods, refusalOf, responses, tokenOf } from './device.ts'
import { devicePolicyKey, openHub, type TestGateway, type TestHub } from './hub.ts'

let hub: TestHub
let gateway: TestGateway
beforeAll(async () => {
  hub = await openHub()
  gateway = await hub.startGateway()
})
afterAll(() => hub[Symbol.asyncDispose]())

describe('a device that connects', () => {
  it('G3 is accepted with either of its keys, or by a policy that lets devices connect', async () => {
    const device = await hub.addDevice('accepted')
    const { primaryKey, secondaryKey } = device.authentication
    const swapped = { ...device, authentication: { ...device.authentication, primaryKey: secondaryKey } }
    const expiresAt = new Date(Date.now() + 60_000)
    const policyToken = signSasToken({ resource: 'localhost', key: devicePolicyKey, expiresAt, policyName: 'device' })

    for (const password of [tokenOf(device), tokenOf(swapped), policyToken]) {
      const connected = await connectDevice(gateway, device, { password })
      expect(connected.sessionPresent).toBe(false)
      await connected.end()
    }
    expect(primaryKey).not.toBe(secondaryKey)
  })

  it('G2 G4 is refused with the return code that says why', async () => {
    const device = await hub.addDevice('refused')
    const disabled = await hub.addDevice('disabled')
    await hub.setStatus('disabled', 'disabled')
    const password = tokenOf(device)

    expect(await refusalOf(gateway, device, { protocolVersion: 5 })).toBe(1)
    expect(await refusalOf(gateway, device, { protocolVersion: 3, protocolId: 'MQIsdp' })).toBe(1)
    expect(await refusalOf(gateway, device, { clientId: 'another' })).toBe(2)
    expect(await refusalOf(gateway, device, { clientId: '', clean: true })).toBe(2)
    expect(await refusalOf(gateway, device, { username: '', password: '' })).toBe(4)
    expect(await refusalOf(gateway, device, { username: 'other.example/refused/?api-version=2021-04-12' })).toBe(4)
    expect(await refusalOf(gateway, device, { clientId: 'refused/m', username: 'localhost/refused/m/?' })).toBe(5)
    expect(await refusalOf(gateway, { ...device, deviceId: disabled.deviceId }, { password })).toBe(5)
    expect(await refusalOf(gateway, device, { password: 'secret' })).toBe(5)
    expect(await refusalOf(gateway, device, { password: tokenOf(device, new Date(Date.now() - 1_000)) })).toBe(5)
    expect(await refusalOf(gateway, disabled)).toBe(5)
    expect(await refusalOf(gateway, { ...device, deviceId: 'unknown' as typeof device.deviceId })).toBe(5)
  })

  it('G5 is Connected when it has its CONNACK, and Disconnected once it is gone', async () => {
    const before = await hub.addDevice('state')

    const connected = await connectDevice(gateway, before)
    const online = await hub.readDevice('state')
    await connected.end('drop')
    const offline = await eventually(async () => {
      const device = await hub.readDevice('state')
      expect(device.connectionState).toBe('Disconnected')
      return device
    })

    expect(before).toMatchObject({ connectionState: 'Disconnected', lastActivityTime: null })
    expect(online.connectionState).toBe('Connected')
    expect(online.lastActivityTime?.getTime()).toBeGreaterThan(Date.now() - 10_000)
    expect(offline.connectionStateUpdatedTime?.getTime()).toBeGreaterThan(
      online.connectionStateUpdatedTime?.getTime() ?? Number.POSITIVE_INFINITY,
    )
  })

  it('G5 moves lastActivityTime with what it sends', async () => {
    const connected = await connectDevice(gateway, await hub.addDevice('active'))
    const before = (await hub.readDevice('active')).lastActivityTime?.getTime() ?? 0

    await connected.publish('devices/active/messages/events/', '21.5', 1)

    await eventually(async () => {
      expect((await hub.readDevice('active')).lastActivityTime?.getTime()).toBeGreaterThan(before)
    })
    await connected.end()
  })

  it('G6 ends the connection that it had before', async () => {
    const device = await hub.addDevice('twice')

    const first = await connectDevice(gateway, device)
    const second = await connectDevice(gateway, device)
    await first.closed
    await second.publish('devices/twice/messages/events/', 'still here', 1)

    expect((await hub.readDevice('twice')).connectionState).toBe('Connected')
    await second.end()
  })

  it('G6 ends the connection that it had on another gateway', async () => {
    const other = await hub.startGateway()
    const device = await hub.addDevice('moves')

    const first = await connectDevice(gateway, device)
    const second = await connectDevice(other, device)
    await first.closed
    await second.publish('devices/moves/messages/events/', 'still here', 1)

    expect((await hub.readDevice('moves')).connectionState).toBe('Connected')
    await second.end()
  })

  it('G6 has one connection in the end, however many it opens at once', async () => {
    const device = await hub.addDevice('storm')

    const attempts = await Promise.allSettled(Array.from({ length: 8 }, () => connectDevice(gateway, device)))
    const connected = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []))

    await eventually(() => expect(connected.filter(({ client }) => client.connected)).toHaveLength(1))
    expect((await hub.readDevice('storm')).connectionState).toBe('Connected')
    await Promise.all(connected.map((device) => device.end('drop')))
    await eventually(async () => expect((await hub.readDevice('storm')).connectionState).toBe('Disconnected'))
  })

  it('G7 is cut when its token expires, and not before', async () => {
    const device = await hub.addDevice('expires')
    const expiresAt = new Date(Math.ceil(Date.now() / 1000) * 1000 + 1_000)
    const ended = nextEnd('expires')

    const connected = await connectDevice(gateway, device, { password: tokenOf(device, expiresAt) })
    await connected.closed

    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt.getTime())
    expect(await ended).toBe('expired')
  })

  it('G8 is cut when it is disabled, and refused from then on', async () => {
    const device = await hub.addDevice('to-be-disabled')
    const connected = await connectDevice(gateway, device)
    await connected.subscribe([methods])
    const ended = nextEnd('to-be-disabled')

    await hub.setStatus('to-be-disabled', 'disabled')
    await hub.closeConnection('to-be-disabled', 'disabled')
    await connected.closed

    expect(await ended).toBe('disabled')
    expect(await refusalOf(gateway, device)).toBe(5)
  })
})

describe('a connection that breaks the rules', () => {
  it('G12 is cut when it publishes at QoS 2', async () => {
    const device = await connectDevice(gateway, await hub.addDevice('qos-2'))
    const ended = nextEnd('qos-2')

    device.publish('devices/qos-2/messages/events/', 'x', 2).catch(() => {})
    await device.closed

    expect(await ended).toBe('protocol')
  })

  it('G12 is cut when it publishes to a topic that is not its own', async () => {
    const identity = await hub.addDevice('elsewhere')
    const topics = ['foo', 'devices/another/messages/events/', '$iothub/twin/PATCH/properties/desired/?$rid=1']
    const reasons: string[] = []

    for (const topic of topics) {
      const device = await connectDevice(gateway, identity)
      const ended = nextEnd('elsewhere')
      device.publish(topic, 'x', 1).catch(() => {})
      reasons.push(await ended)
    }

    expect(reasons).toEqual(['protocol', 'protocol', 'protocol'])
  })

  it('G17 is cut when what it publishes cannot be taken, and no other is', async () => {
    const off = gateway.hub.events.on('telemetryReceived', () => {
      throw new Error('a bug')
    })
    const device = await connectDevice(gateway, await hub.addDevice('unlucky'))
    const other = await connectDevice(gateway, await hub.addDevice('bystander'))
    const ended = nextEnd('unlucky')

    device.publish('devices/unlucky/messages/events/', 'x', 1).catch(() => {})

    expect(await ended).toBe('protocol')
    off()
    await other.publish('devices/bystander/messages/events/', 'x', 1)
    await other.end()
  })

  it('G13 is cut when a packet is larger than 272 KB, and not when it is as large', async () => {
    const topic = 'devices/large/messages/events/'
    const device = await connectDevice(gateway, await hub.addDevice('large'))
    const headerBytes = 2 + topic.length + 2

    await device.publish(topic, Buffer.alloc(272 * 1024 - headerBytes), 1)
    device.publish(topic, Buffer.alloc(272 * 1024 - headerBytes + 1), 1).catch(() => {})

    await device.closed
  })

  it('G9 is cut after one and a half times its keep-alive', async () => {
    const device = await connectDevice(gateway, await hub.addDevice('silent'), { keepalive: 1 })
    const ended = nextEnd('silent')

    device.client.stream.pause()
    device.client.sendPing = () => {}
    await device.closed

    expect(await ended).toBe('keepAlive')
  })
})

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
      const ended = nextEnd('last-words')
      await device.end(how)
      expect(await ended).toBe(how === 'disconnect' ? 'disconnect' : 'lost')
    }

    expect(received).toEqual(['last-words'])
    off()
  })
})

/** Why the device's connection to the gateway ends next. */
function nextEnd(deviceId: string): Promise<string> {
  return new Promise((resolve) => {
    const off = gateway.hub.events.on('deviceDisconnected', (fields) => {
      if (fields.deviceId !== deviceId) return
      off()
      resolve(fields.reason)
    })
  })
}
