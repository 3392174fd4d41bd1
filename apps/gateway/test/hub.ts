import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKey } from '@muster/auth'
import { parseDeviceId } from '@muster/contract'
import { type Hub, loadConfig, runRoles } from '@muster/runtime'
import {
  type Device,
  ensurePolicies,
  findRoutes,
  insertDevices,
  migrate,
  readDevice,
  updateDevice,
} from '@muster/store'
import { createDatabase, templateDatabase, uniquePrefix } from '@muster/testkit'
import { inject } from 'vitest'
import { role } from '../src/index.ts'

/** One gateway of a hub, running. */
export interface TestGateway {
  readonly hub: Hub
  readonly mqttsPort: number
  readonly httpsPort: number
  stop(): Promise<void>
}

/** A hub of its own for a test file: a database, a Redis prefix, and as many gateways as are started. */
export interface TestHub extends AsyncDisposable {
  /** `settings`: environment variables that differ from those of the others. */
  startGateway(settings?: Readonly<Record<string, string>>): Promise<TestGateway>
  addDevice(deviceId: string): Promise<Device>
  readDevice(deviceId: string): Promise<Device>
  setStatus(deviceId: string, status: 'enabled' | 'disabled'): Promise<void>
  /** Tells the gateway of a device that takes methods to end its connection. */
  closeConnection(deviceId: string, reason: 'disabled' | 'deleted'): Promise<void>
}

export const devicePolicyKey = generateKey()

export async function openHub(): Promise<TestHub> {
  const template = await templateDatabase(inject('databaseUrl'), 'migrated', migrate)
  const database = await createDatabase(inject('databaseUrl'), { template })
  const dataDir = await mkdtemp(join(tmpdir(), 'muster-gateway-'))
  const prefix = uniquePrefix()
  const running: TestGateway[] = []

  const startGateway = async (settings: Readonly<Record<string, string>> = {}) => {
    const mqttsPort = await freePort()
    const config = loadConfig(
      { dataDir },
      {
        DATABASE_URL: database.url,
        REDIS_URL: inject('redisUrl'),
        MUSTER_REDIS_PREFIX: prefix,
        MUSTER_HTTPS_PORT: '0',
        MUSTER_HTTP_PORT: '0',
        MUSTER_MQTTS_PORT: String(mqttsPort),
        MUSTER_LOG_LEVEL: 'silent',
        MUSTER_SHUTDOWN_SECONDS: '10',
        ...settings,
      },
    )
    const { hub, ports, stop } = await runRoles([role], config)
    const gateway = { hub, mqttsPort, httpsPort: ports.https ?? 0, stop: () => stop('the test is over') }
    running.push(gateway)
    return gateway
  }
  const { hub } = await startGateway()
  await ensurePolicies(hub.db, [
    { name: 'device', permissions: ['DeviceConnect'], primaryKey: devicePolicyKey, secondaryKey: generateKey() },
  ])

  return {
    startGateway,
    async addDevice(deviceId) {
      await insertDevices(hub.db, [draft(deviceId)], new Date())
      return read(hub, deviceId)
    },
    readDevice: (deviceId) => read(hub, deviceId),
    async setStatus(deviceId, status) {
      await updateDevice(hub.db, { ...(await read(hub, deviceId)), status }, { etag: null }, new Date())
    },
    async closeConnection(deviceId, reason) {
      const [route] = await findRoutes(hub.db, [deviceId])
      if (route?.gatewayId == null) throw new Error(`${deviceId} takes no methods`)
      await hub.bus.closeConnection(route.gatewayId, { deviceId, connectionNo: null, reason })
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(running.map((gateway) => gateway.stop()))
      await database[Symbol.asyncDispose]()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

function draft(deviceId: string) {
  return {
    deviceId: parseDeviceId(deviceId),
    status: 'enabled' as const,
    statusReason: null,
    authentication: {
      type: 'sas' as const,
      primaryKey: generateKey(),
      secondaryKey: generateKey(),
      primaryThumbprint: null,
      secondaryThumbprint: null,
    },
    isEdge: false,
  }
}

async function read({ db }: Hub, deviceId: string): Promise<Device> {
  const device = await readDevice(db, parseDeviceId(deviceId))
  if (device === null) throw new Error(`no device ${deviceId}`)
  return device
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server has a port')
  return address.port
}
