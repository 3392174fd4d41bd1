import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { generateKey, signSasToken } from '@muster/auth'
import { type GatewayId, gatewayId, parseDeviceId } from '@muster/contract'
import { StartError } from '@muster/runtime'
import {
  closeSessionsOfDeadGateways,
  findRoutes,
  openSession,
  putPolicy,
  removeGateway,
  type StoredPolicy,
} from '@muster/store'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import { role } from '../src/index.ts'
import { connectDevice, methods, nextEnd, refusalOf } from './device.ts'
import { openHub, type TestGateway, type TestHub } from './hub.ts'

let hub: TestHub
let gateway: TestGateway
beforeAll(async () => {
  // The gateway's clockwork is stepped by hand.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  hub = await openHub()
  gateway = await hub.startGateway()
})
afterAll(async () => {
  vi.useRealTimers()
  await hub[Symbol.asyncDispose]()
})

async function connected(deviceId: string, on = gateway) {
  const device = await connectDevice(on, await hub.addDevice(deviceId))
  await device.subscribe([methods])
  const [route] = await findRoutes(gateway.hub.db, [deviceId])
  if (route?.gatewayId == null) throw new Error(`${deviceId} takes no methods`)
  return { device, gatewayId: route.gatewayId }
}

async function stateOf(deviceId: string) {
  return (await hub.read(deviceId)).connectionState
}

describe('a gateway', () => {
  it('G40 shows a sign of life every five seconds', async () => {
    const { device, gatewayId } = await connected('beats')
    const canary = { identity: parseDeviceId('beats'), gatewayId, clean: false }
    await forget(gatewayId)

    vi.advanceTimersByTime(5_000)

    await eventually(async () => {
      await openSession(gateway.hub.db, canary, new Date())
      expect(await closeDeadSessions()).toBe(0)
    })
    await device.end()
  })

  it('G41 takes back a session that was closed because the gateway seemed dead', async () => {
    const { device, gatewayId } = await connected('revived')
    await eventually(async () => {
      // The comparison at its opening may still be under way, and take it back.
      await forget(gatewayId)
      expect(await stateOf('revived')).toBe('Disconnected')
    })

    vi.advanceTimersByTime(30_000)

    await eventually(async () => expect(await stateOf('revived')).toBe('Connected'))
    expect(device.client.connected).toBe(true)
    await device.end()
    await eventually(async () => expect(await stateOf('revived')).toBe('Disconnected'))
  })

  it('G41 takes back its sessions as soon as Postgres takes its signs of life again', async () => {
    const { db, events } = gateway.hub
    const { device, gatewayId } = await connected('returned')
    const failed = new Promise<void>((resolve) => events.on('gatewayFailed', () => resolve()))
    await db.execute('alter table gateways rename to gateways_away')
    vi.advanceTimersByTime(5_000)
    await failed
    await db.execute('alter table gateways_away rename to gateways')
    await forget(gatewayId)

    vi.advanceTimersByTime(5_000)

    await eventually(async () => expect(await stateOf('returned')).toBe('Connected'))
    await device.end()
  })

  it('G41 ends a connection whose takeover, disabling, deletion or change of keys it has not heard of', async () => {
    const { db } = gateway.hub
    const moved = await connected('moved')
    const disabled = await connected('turned-off')
    const rekeyed = await connected('rekeyed')
    const kept = await connected('kept')
    const rotated = await connected('rotated')
    const elsewhere = { identity: parseDeviceId('moved'), gatewayId: gatewayId('deaf'), clean: false }
    await openSession(db, elsewhere, new Date())
    await hub.changeUnheard('turned-off', { status: 'disabled' })
    const other = 'b3RoZXI='
    const keys = (await hub.read('rekeyed')).authentication
    await hub.changeUnheard('rekeyed', { authentication: { ...keys, primaryKey: other } })
    const rotatedKeys = (await hub.read('rotated')).authentication
    await hub.changeUnheard('rotated', { authentication: { ...rotatedKeys, secondaryKey: other } })

    vi.advanceTimersByTime(30_000)
    await Promise.all([moved.device.closed, disabled.device.closed, rekeyed.device.closed])

    for (const name of ['kept', 'rotated']) expect(await stateOf(name)).toBe('Connected')
    await kept.device.publish('devices/kept/messages/events/', 'still here', 1)
    await rotated.device.publish('devices/rotated/messages/events/', 'still here', 1)
    expect((await findRoutes(db, ['moved']))[0]?.gatewayId).toBe('deaf')
    await Promise.all([kept.device.end(), rotated.device.end()])
  })

  it('G41 ends the connections by a policy that lost that key or its permission, and leaves the others', async () => {
    const { db } = gateway.hub
    const both = { primaryKey: generateKey(), secondaryKey: generateKey() }
    const permissions = ['DeviceConnect']
    const put = (name: string, changes: Partial<StoredPolicy>) =>
      putPolicy(db, { name, permissions, ...both }, { permissions, ...changes })
    for (const name of ['rolled', 'stripped', 'rotating']) await put(name, {})
    const byPolicy = async (name: string) => {
      const expiresAt = new Date(Date.now() + 60_000)
      const password = signSasToken({ resource: 'localhost', key: both.primaryKey, expiresAt, policyName: name })
      const device = await connectDevice(gateway, await hub.addDevice(`by-${name}`), { password })
      return { device, ended: nextEnd(gateway, `by-${name}`) }
    }
    const rolled = await byPolicy('rolled')
    const stripped = await byPolicy('stripped')
    const rotating = await byPolicy('rotating')

    await put('rolled', { primaryKey: generateKey() })
    await put('stripped', { permissions: ['ServiceConnect'] })
    await put('rotating', { secondaryKey: generateKey() })
    vi.advanceTimersByTime(30_000)

    expect(await Promise.all([rolled.ended, stripped.ended])).toEqual(['rekeyed', 'rekeyed'])
    await rotating.device.publish('devices/by-rotating/messages/events/', 'still here', 1)
    await rotating.device.end()
  })

  it('G8 cuts who lost its keys at once, while it compares all its connections', async () => {
    const { db } = gateway.hub
    const slow = await connected('slow-to-compare')
    const urgent = await connected('urgent')
    const ended = nextEnd(gateway, 'urgent')

    // What is compared at its opening comes before this one, and would open the session again.
    const last = await connected('last-to-open')
    await hub.setCredentials('last-to-open', { primaryKey: generateKey() })
    await last.device.closed
    await db.execute(`update sessions set gateway_id = null where device_id = 'slow-to-compare'`)
    await db.transaction(async (tx) => {
      await tx.execute(`select from sessions where device_id = 'slow-to-compare' for update`)
      vi.advanceTimersByTime(30_000)
      await eventually(async () => {
        // Not in the transaction, which would see one and the same picture.
        const { rowCount } = await db.execute(`
          select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)
        expect(rowCount).toBe(1)
      })
      await hub.setCredentials('urgent', { primaryKey: generateKey() })
      expect(await ended).toBe('rekeyed')
    })

    await eventually(async () => expect(await stateOf('slow-to-compare')).toBe('Connected'))
    await slow.device.end()
    await urgent.device.closed
  })

  it('G43 ends its connections when it stops, and leaves no device connected', async () => {
    const other = await hub.startGateway()
    const { device } = await connected('stopped', other)

    await other.stop()
    await device.closed

    expect(await stateOf('stopped')).toBe('Disconnected')
    expect(await refusalOf(other, await hub.addDevice('too-late'))).toBe('ECONNREFUSED')
  })

  it('G43 stops within its deadline while Redis is away', async () => {
    const redis = await givenRedisProxy(inject('redisUrl'))
    const { hub: shared } = await hub.startGateway({ REDIS_URL: redis.url })
    const running = await role.start({ ...shared, config: { ...shared.config, mqttsPort: 0 } })
    redis.cut()
    await expect(shared.bus.ping()).rejects.toThrow()

    const deadline = AbortSignal.timeout(5_000)
    await running.stop(deadline)

    expect(deadline.aborted).toBe(false)
  })

  it('G43 says which variable to set when its port is taken', async () => {
    const holder = createServer().listen(0)
    const address = holder.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const { hub: shared } = gateway

    const starting = role.start({ ...shared, config: { ...shared.config, mqttsPort: port } })

    await expect(starting).rejects.toThrow(StartError)
    await expect(starting).rejects.toThrow('MUSTER_MQTTS_PORT')
    holder.close()
  })
})

/** What the reconciler does to a gateway that has shown no sign of life for long. */
async function forget(id: GatewayId) {
  await removeGateway(gateway.hub.db, id, new Date())
}

function closeDeadSessions() {
  const deadBefore = new Date(Date.now() - 10_000)
  return closeSessionsOfDeadGateways(gateway.hub.db, { deadBefore, limit: 100 }, new Date())
}

/** A way to Redis that can be cut. */
async function givenRedisProxy(redisUrl: string) {
  const url = new URL(redisUrl)
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const redis = connect(Number(url.port || 6379), url.hostname)
    for (const socket of [client, redis]) sockets.add(socket.on('error', () => socket.destroy()))
    client.pipe(redis).pipe(client)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const cut = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return { url: Object.assign(new URL(url), { host: `127.0.0.1:${port}` }).href, cut }
}
