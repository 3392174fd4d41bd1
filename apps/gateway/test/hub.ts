import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKey } from '@muster/auth'
import {
  type IdentityKey,
  type JsonObject,
  moduleKey,
  parseDeviceId,
  parseModuleId,
  storedIdentity,
} from '@muster/contract'
import { type Hub, type HubClock, loadConfig, runRoles } from '@muster/runtime'
import {
  type Authentication,
  type DesiredChange,
  deleteIdentity,
  ensurePolicies,
  findOwners,
  findOwnersWithModules,
  type Identity,
  insertIdentities,
  migrate,
  patchTwin,
  readIdentity,
  updateIdentity,
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
  addDevice(deviceId: string, authentication?: Authentication): Promise<Identity>
  addModule(deviceId: string, moduleId: string): Promise<Identity>
  /** A device, or `device/module`. */
  read(identity: string): Promise<Identity>
  /** These three change the registry, and tell the gateways of the identity and its modules, as the API does. */
  setStatus(identity: string, status: 'enabled' | 'disabled'): Promise<void>
  setCredentials(identity: string, change: Partial<Authentication>): Promise<void>
  remove(identity: string): Promise<void>
  /** Changes desired properties, and tells the gateways, as the API does. Returns the new version. */
  change(identity: string, desired: JsonObject): Promise<number>
  /** Only the twin: the word of it comes late, or is lost. */
  commit(identity: string, desired: JsonObject): Promise<DesiredChange>
  push(change: DesiredChange): Promise<void>
  /** Only the registry: the word of it is lost. */
  changeUnheard(identity: string, change: Partial<Pick<Identity, 'status' | 'authentication'>>): Promise<void>
}

export const devicePolicyKey = generateKey()

/** `clock`: instead of the time of Postgres. */
export async function openHub({ clock }: { clock?: HubClock } = {}): Promise<TestHub> {
  const template = await templateDatabase(inject('databaseUrl'), 'migrated', migrate)
  const database = await createDatabase(inject('databaseUrl'), { template })
  const dataDir = await mkdtemp(join(tmpdir(), 'muster-gateway-'))
  const prefix = uniquePrefix()
  const running: TestGateway[] = []

  const startGateway = async (settings: Readonly<Record<string, string>> = {}) => {
    const config = loadConfig(
      { dataDir },
      {
        DATABASE_URL: database.url,
        REDIS_URL: inject('redisUrl'),
        MUSTER_REDIS_PREFIX: prefix,
        MUSTER_HTTPS_PORT: '0',
        MUSTER_HTTP_PORT: '0',
        MUSTER_MQTTS_PORT: '0',
        MUSTER_LOG_LEVEL: 'silent',
        MUSTER_SHUTDOWN_SECONDS: '10',
        ...settings,
      },
    )
    const { hub, ports, stop } = await runRoles([role], config, clock === undefined ? {} : { clock })
    const gateway = {
      hub,
      mqttsPort: ports.mqtts ?? 0,
      httpsPort: ports.https ?? 0,
      stop: () => stop('the test is over'),
    }
    running.push(gateway)
    return gateway
  }
  const { hub } = await startGateway()
  await ensurePolicies(hub.db, [
    { name: 'device', permissions: ['DeviceConnect'], primaryKey: devicePolicyKey, secondaryKey: generateKey() },
  ])

  return {
    startGateway,
    addDevice: (deviceId, authentication) => add(hub, parseDeviceId(deviceId), authentication),
    addModule: (deviceId, moduleId) => add(hub, moduleKey(parseDeviceId(deviceId), parseModuleId(moduleId))),
    read: (identity) => read(hub, identity),
    async setStatus(identity, status) {
      await update(hub, identity, { status })
      if (status === 'disabled') await close(hub, await findOwnersWithModules(hub.db, [identity]), 'disabled')
    },
    async setCredentials(identity, change) {
      const { authentication } = await read(hub, identity)
      await update(hub, identity, { authentication: { ...authentication, ...change } })
      await close(hub, await findOwners(hub.db, [identity]), 'rekeyed')
    },
    async remove(identity) {
      const owners = await findOwnersWithModules(hub.db, [identity])
      await deleteIdentity(hub.db, storedIdentity(identity), null)
      await close(hub, owners, 'deleted')
    },
    async change(identity, desired) {
      const committed = await commit(hub, identity, desired)
      await push(hub, committed)
      return committed.versions[0]?.version ?? 0
    },
    commit: (identity, desired) => commit(hub, identity, desired),
    push: (change) => push(hub, change),
    changeUnheard: (identity, change) => update(hub, identity, change),
    async [Symbol.asyncDispose]() {
      await Promise.all(running.map((gateway) => gateway.stop()))
      await database[Symbol.asyncDispose]()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

async function add(hub: Hub, identity: IdentityKey, authentication: Authentication = newKeys()): Promise<Identity> {
  const settings = { status: 'enabled', statusReason: null, isEdge: false, managedBy: null, parentScopes: [] } as const
  await insertIdentities(hub.db, [{ identity, authentication, ...settings }], new Date())
  return read(hub, identity)
}

function newKeys(): Authentication {
  const keys = { primaryKey: generateKey(), secondaryKey: generateKey() }
  return { type: 'sas', ...keys, primaryThumbprint: null, secondaryThumbprint: null }
}

async function read({ db }: Hub, identity: string): Promise<Identity> {
  const found = await readIdentity(db, storedIdentity(identity))
  if (found === null) throw new Error(`${identity} is not registered`)
  return found
}

async function update(hub: Hub, identity: string, change: Partial<Identity>): Promise<void> {
  await updateIdentity(hub.db, { ...(await read(hub, identity)), ...change }, { etag: null }, new Date())
}

async function commit({ db }: Hub, identity: string, desired: JsonObject): Promise<DesiredChange> {
  const changed = await patchTwin(db, storedIdentity(identity), { desired }, { etag: null }, new Date())
  if (changed.kind !== 'changed' || changed.desired === null) throw new Error(`no twin ${identity}`)
  return changed.desired
}

async function push({ db, bus }: Hub, { patch, versions }: DesiredChange): Promise<void> {
  const owners = await findOwners(
    db,
    versions.map(({ identity }) => identity),
  )
  for (const version of versions) {
    const owner = owners.find(({ identity }) => identity === version.identity)
    if (owner !== undefined) await bus.pushDesired(owner.gatewayId, { patch, devices: [version] })
  }
}

async function close(
  { bus }: Hub,
  owners: Awaited<ReturnType<typeof findOwners>>,
  reason: 'disabled' | 'deleted' | 'rekeyed',
): Promise<void> {
  for (const { identity, gatewayId } of owners) {
    await bus.closeConnection(gatewayId, { identity, connectionNo: null, reason })
  }
}
