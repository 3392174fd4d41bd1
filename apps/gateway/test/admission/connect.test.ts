import { clockGraceMs, generateKey, signSasToken } from '@muster/auth'
import { storedIdentity } from '@muster/contract'
import { putPolicy, readTwin } from '@muster/store'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectDevice, nextEnd, refusalOf, responses, tokenOf } from '../device.ts'
import { devicePolicyKey, openHub, type TestGateway, type TestHub } from '../hub.ts'
import { connectPacket, openRaw } from '../raw.ts'

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
      expect((await hub.read('accepted')).connectionState).toBe('Connected')
      await connected.end()
    }
    expect(primaryKey).not.toBe(secondaryKey)
  })

  it('G3 is accepted by a policy as it is now, and cut when it came by what the policy was a moment ago', async () => {
    const { db } = gateway.hub
    const device = await hub.addDevice('by-new-policy')
    const connectBy = (key: string) => {
      const expiresAt = new Date(Date.now() + 60_000)
      const password = signSasToken({ resource: 'localhost', key, expiresAt, policyName: 'new' })
      return connectDevice(gateway, device, { password })
    }
    const put = (key: string) => {
      const policy = { name: 'new', permissions: ['DeviceConnect'], primaryKey: key, secondaryKey: key }
      return putPolicy(db, policy, policy)
    }
    const [first, second] = [generateKey(), generateKey()]
    await (await connectDevice(gateway, device)).end()

    await put(first)
    await (await connectBy(first)).end()
    await put(second)
    await (await connectBy(second)).end()

    const refused = await connectBy(first).then(
      ({ closed }) => closed.then(() => 'cut'),
      ({ code }: { code: unknown }) => code,
    )
    expect(['cut', 5]).toContain(refused)
  })

  it('G1 is accepted with any api-version in its user name, and with none', async () => {
    const device = await hub.addDevice('any-version')

    for (const rest of [
      '/?api-version=2016-11-14',
      '/?api-version=2099-12-31',
      '/?api-version=',
      '/?x=1',
      '/?',
      '/',
      '',
    ]) {
      const connected = await connectDevice(gateway, device, { username: `localhost/any-version${rest}` })
      await connected.end()
    }
    expect((await hub.read('any-version')).lastActivityTime).not.toBeNull()
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
    expect(await refusalOf(gateway, { ...device, identity: disabled.identity }, { password })).toBe(5)
    expect(await refusalOf(gateway, device, { password: 'secret' })).toBe(5)
    expect(
      await refusalOf(gateway, device, { password: tokenOf(device, new Date(Date.now() - clockGraceMs - 1_000)) }),
    ).toBe(5)
    expect(await refusalOf(gateway, disabled)).toBe(5)
    expect(await refusalOf(gateway, { ...device, identity: storedIdentity('unknown') })).toBe(5)
  })

  it.each(['a#b', 'a+b', '#', 'c+#/m#'])('G1 has its twin, and sends no telemetry, under the id %s', async (id) => {
    const [deviceId = '', moduleId] = id.split('/')
    const ofDevice = await hub.addDevice(deviceId)
    const device = moduleId === undefined ? ofDevice : await hub.addModule(deviceId, moduleId)
    const connected = await connectDevice(gateway, device)
    await connected.subscribe([responses])
    await connected.publish('$iothub/twin/GET/?$rid=1')
    const { topic } = await connected.take('$iothub/twin/res/')
    await connected.publish(`devices/${id.replace('/', '/modules/')}/messages/events/`)
    await connected.closed

    expect(topic).toContain('/200/')
  })

  it('G5 is Connected when it has its CONNACK, and Disconnected once it is gone', async () => {
    const before = await hub.addDevice('state')

    const connected = await connectDevice(gateway, before)
    const online = await hub.read('state')
    await connected.end('drop')
    const offline = await eventually(async () => {
      const device = await hub.read('state')
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

  it.each(['drop', 'disconnect'] as const)(
    'G5 has the time of what it sent last when it has gone by a %s',
    async (how) => {
      const connected = await connectDevice(gateway, await hub.addDevice(`active-${how}`))
      const connectedAt = (await hub.read(`active-${how}`)).lastActivityTime?.getTime() ?? 0

      const sentAt = Date.now()
      await connected.publish(`devices/active-${how}/messages/events/`, '21.5', 1)
      const acknowledgedAt = Date.now()
      await connected.end(how)

      const lastActivity = await eventually(async () => {
        const { connectionState, lastActivityTime } = await hub.read(`active-${how}`)
        expect(connectionState).toBe('Disconnected')
        return lastActivityTime?.getTime() ?? 0
      })
      expect(lastActivity).toBeGreaterThan(connectedAt)
      expect(lastActivity).toBeGreaterThanOrEqual(sentAt)
      expect(lastActivity).toBeLessThanOrEqual(acknowledgedAt)
    },
  )

  it('G5 has the time of what it sent last when its gateway has stopped', async () => {
    const other = await hub.startGateway()
    const connected = await connectDevice(other, await hub.addDevice('active-stop'))
    const sentAt = Date.now()
    await connected.publish('devices/active-stop/messages/events/', '21.5', 1)

    await other.stop()

    const { connectionState, lastActivityTime } = await hub.read('active-stop')
    expect(connectionState).toBe('Disconnected')
    expect(lastActivityTime?.getTime()).toBeGreaterThanOrEqual(sentAt)
  })

  it('G6 ends the connection that it had before', async () => {
    const device = await hub.addDevice('twice')

    const first = await connectDevice(gateway, device)
    const second = await connectDevice(gateway, device)
    await first.closed
    await second.publish('devices/twice/messages/events/', 'still here', 1)

    expect((await hub.read('twice')).connectionState).toBe('Connected')
    await second.end()
  })

  it('G6 ends the connection that it had on another gateway', async () => {
    const other = await hub.startGateway()
    const device = await hub.addDevice('moves')

    const first = await connectDevice(gateway, device)
    const second = await connectDevice(other, device)
    await first.closed
    await second.publish('devices/moves/messages/events/', 'still here', 1)

    expect((await hub.read('moves')).connectionState).toBe('Connected')
    await second.end()
  })

  it('G6 has one connection in the end, however many it opens at once', async () => {
    const device = await hub.addDevice('storm')

    const attempts = await Promise.allSettled(Array.from({ length: 8 }, () => connectDevice(gateway, device)))
    const connected = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []))

    await eventually(() => expect(connected.filter(({ client }) => client.connected)).toHaveLength(1))
    expect((await hub.read('storm')).connectionState).toBe('Connected')
    await Promise.all(connected.map((device) => device.end('drop')))
    await eventually(async () => expect((await hub.read('storm')).connectionState).toBe('Disconnected'))
  })

  it('G6 tells none of many at once that it may not come, on two gateways', async () => {
    const gateways = [gateway, await hub.startGateway()]
    const device = await hub.addDevice('crowd')

    const attempts = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => connectDevice(gateways[n % 2] ?? gateway, device)),
    )
    const connected = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []))
    const codes = attempts.flatMap((attempt) => (attempt.status === 'rejected' ? [attempt.reason.code] : []))

    expect(codes.filter((code) => code !== 3 && code !== 'closed')).toEqual([])
    await eventually(() => expect(connected.filter(({ client }) => client.connected)).toHaveLength(1))
    expect((await hub.read('crowd')).connectionState).toBe('Connected')
    await Promise.all(connected.map((device) => device.end('drop')))
  })

  it.each(['the same', 'another'])(
    'G6 ends the connection on %s gateway, though it is gone before it is open',
    async (on) => {
      const former = on === 'another' ? await hub.startGateway() : gateway
      const name = `gone-beside-${on.replace(' ', '-')}`
      const device = await hub.addDevice(name)
      await connectDevice(former, device)
      const ended = nextEnd(former, name)
      const client = openRaw(gateway)
      const { db } = gateway.hub

      await db.transaction(async (tx) => {
        await tx.execute(`select from sessions where device_id = '${name}' for update`)
        client.send(connectPacket(device))
        await eventually(async () => {
          // Not in the transaction, which would see one and the same picture.
          const { rowCount } = await db.execute(`
          select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)
          expect(rowCount).toBe(1)
        })
        client.stream.destroy()
        // The gateway has seen the end when it has dealt with the next one.
        await refusalOf(gateway, { ...device, identity: storedIdentity('unknown') })
      })

      expect(await ended).toBe('takeover')
      await eventually(async () => expect((await hub.read(name)).connectionState).toBe('Disconnected'))
    },
  )

  it('G15 is told that its session is there, also when it had no subscriptions, and not after a clean one', async () => {
    const device = await hub.addDevice('remembered')
    const presence = async (clean: boolean) => {
      const connected = await connectDevice(gateway, device, { clean })
      await connected.publish('devices/remembered/messages/events/', '21.5', 1)
      await connected.end()
      return connected.sessionPresent
    }

    const kept = [await presence(false), await presence(false), await presence(false)]
    const cleared = [await presence(true), await presence(true), await presence(false), await presence(false)]

    expect(kept).toEqual([false, true, true])
    expect(cleared).toEqual([false, false, false, true])
  })

  it('G56 names its model, which its twin shows from then on', async () => {
    const device = await hub.addDevice('modelled')
    const connectAs = async (parameters: string) => {
      const username = `localhost/modelled/?api-version=2021-04-12${parameters}`
      await (await connectDevice(gateway, device, { username })).end()
      return (await readTwin(gateway.hub.db, device.identity))?.modelId
    }

    expect(await connectAs('')).toBe('')
    expect(await connectAs('&model-id=dtmi%3Acom%3Aexample%3ALamp%3B1')).toBe('dtmi:com:example:Lamp;1')
    expect(await connectAs('&model-id=Lamp 1')).toBe('dtmi:com:example:Lamp;1')
    expect(await connectAs('')).toBe('dtmi:com:example:Lamp;1')
    expect(await connectAs('&model-id=')).toBe('')
  })

  it('G7 is cut five minutes after its token has expired, and not before', async () => {
    const device = await hub.addDevice('expires')
    const cutAt = new Date(Math.ceil(Date.now() / 1000) * 1000 + 1_000)
    const expiresAt = new Date(cutAt.getTime() - clockGraceMs)
    const ended = nextEnd(gateway, 'expires')

    const connected = await connectDevice(gateway, device, { password: tokenOf(device, expiresAt) })
    await connected.closed

    expect(Date.now()).toBeGreaterThanOrEqual(cutAt.getTime())
    expect(await ended).toBe('expired')
  })
})

describe('a connection that breaks the rules', () => {
  it('G12 is cut when it publishes at QoS 2', async () => {
    const device = await connectDevice(gateway, await hub.addDevice('qos-2'))
    const ended = nextEnd(gateway, 'qos-2')

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
      const ended = nextEnd(gateway, 'elsewhere')
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
    const ended = nextEnd(gateway, 'unlucky')

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
    // The client library would end the connection itself, at the same time.
    const device = openRaw(gateway)
    const ended = nextEnd(gateway, 'silent')

    device.send(connectPacket(await hub.addDevice('silent'), { keepAlive: 1 }))
    await device.closed

    expect(await ended).toBe('keepAlive')
  })
})
