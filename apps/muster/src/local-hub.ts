import assert from 'node:assert/strict'
import { dirname, resolve } from 'node:path'
import { formatConnectionString } from '@muster/auth'
import { toError } from '@muster/contract'
import { type StoreIncident, startLocalServices } from '@muster/local-services'
import {
  type Config,
  makeFolder,
  openLog,
  openLogFile,
  type RunningHub,
  reachesLocalhost,
  runRoles,
  StartError,
} from '@muster/runtime'
import type { StoredPolicy } from '@muster/store'
import { findPolicy, prepareDatabase } from './database.ts'
import { removeHubFile, writeHubFile } from './hub-file.ts'
import type { Lifetime } from './lifetime.ts'
import { roles } from './roles.ts'

/** A whole hub in this process, and how to reach it. */
export interface LocalHub {
  readonly hostName: string
  /** The name by which this process reaches it. Our own certificate is for `localhost`; a given one may not be. */
  readonly gatewayHost: string
  /** The address on which HTTPS and MQTT are served. */
  readonly bind: string
  readonly httpsPort: number
  readonly httpPort: number
  readonly mqttsPort: number
  /** The CA to trust: a file, and its text. */
  readonly caFile: string
  readonly ca: string
  /** The policy that may do everything. */
  readonly owner: StoredPolicy
  readonly connectionString: string
  /** Where its data is, a line for each store. */
  readonly stores: readonly string[]
}

export interface LocalHubOptions {
  /** Where the log goes instead of standard error. */
  readonly logFile?: string
  /** Called when a private store ends without being asked and is started again. The log has it too. */
  readonly onIncident?: (incident: StoreIncident) => void
}

/**
 * Starts every role on the given stores, or on stores of its own in the data folder, and leaves `hub.json` there while it
 * runs. Throws StartError and LocalServicesError.
 */
export async function startLocalHub(
  lifetime: Lifetime,
  config: Config,
  { logFile, onIncident }: LocalHubOptions = {},
): Promise<LocalHub> {
  // The log opens with the roles. What happens to the stores before, it gets then.
  const early: StoreIncident[] = []
  let log = (incident: StoreIncident): unknown => early.push(incident)
  const services = await startLocalServices({
    databaseUrl: config.databaseUrl ?? undefined,
    redisUrl: config.redisUrl ?? undefined,
    dataDir: config.dataDir,
    durable: true,
    onIncident(incident) {
      log(incident)
      onIncident?.(incident)
    },
  })
  lifetime.defer(() => services[Symbol.asyncDispose]())
  const settled = { ...config, databaseUrl: services.databaseUrl, redisUrl: services.redisUrl }

  await prepareDatabase(settled)
  const owner = await findPolicy(settled, 'iothubowner')
  const running = await runRoles(
    roles,
    settled,
    logFile === undefined ? {} : { log: await logTo(logFile, lifetime, config) },
  )
  log = ({ store, ...incident }) => running.hub.events.storeIncident({ ...incident, store: labelOf[store] })
  early.forEach(log)
  lifetime.defer(() => running.stop('asked to'))

  const hub = describe(running, owner, services.description)
  const { hostName: hostname, connectionString, httpsPort, httpPort, mqttsPort, caFile } = hub
  lifetime.defer(() => removeHubFile(config.dataDir))
  await writeHubFile(config.dataDir, {
    pid: process.pid,
    hostname,
    httpsPort,
    httpPort,
    mqttsPort,
    connectionString,
    caFile,
    ...(config.databaseUrl === null ? { databaseUrl: services.databaseUrl } : {}),
  })
  return hub
}

/** The stores, in the word that all metrics have for them. */
const labelOf = { Postgres: 'postgres', Redis: 'redis' } as const

/** Opened only when the data folder is ours, because another hub may write its own log there. Throws StartError. */
async function logTo(path: string, lifetime: Lifetime, { logLevel }: Config) {
  try {
    await makeFolder(dirname(path))
    const file = openLogFile(path)
    lifetime.defer(async () => file[Symbol.dispose]())
    return openLog(logLevel, file)
  } catch (cause) {
    throw new StartError(`the log ${path} cannot be opened (${toError(cause).message}): set MUSTER_DATA_DIR`, { cause })
  }
}

function describe({ hub, ports, caFile }: RunningHub, owner: StoredPolicy, stores: readonly string[]): LocalHub {
  assert(ports.https !== null && ports.mqtts !== null && caFile !== null, 'a process with every role has TLS')
  const hostName = hub.config.hostNames[0] ?? 'localhost'
  return {
    hostName,
    gatewayHost: hub.config.tls === null && reachesLocalhost(hub.config.bind) ? 'localhost' : hostName,
    bind: hub.config.bind,
    httpsPort: ports.https,
    httpPort: ports.http,
    mqttsPort: ports.mqtts,
    caFile: resolve(caFile),
    ca: hub.front.tls.ca,
    owner,
    connectionString: formatConnectionString({
      hostName,
      sharedAccessKeyName: owner.name,
      sharedAccessKey: owner.primaryKey,
    }),
    stores,
  }
}
