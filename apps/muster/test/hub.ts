import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatConnectionString, signSasToken } from '@muster/auth'
import { type HubClock, loadConfig, type Role, type RunningHub, runRoles } from '@muster/runtime'
import { createDatabase, templateDatabase, uniquePrefix } from '@muster/testkit'
import { inject } from 'vitest'
import { findPolicy, prepareDatabase } from '../src/database.ts'
import { roles as allRoles } from '../src/roles.ts'

/** A hub of its own for a test file: a database, a Redis prefix, free ports. */
export interface TestHub extends AsyncDisposable {
  readonly running: RunningHub
  readonly connectionString: string
  /** An Authorization header of the owner, good for an hour. */
  readonly token: string
  readonly ca: string
  readonly httpsPort: number
  readonly httpPort: number
  readonly mqttsPort: number
  /** What other processes need to run more roles of this hub. */
  readonly environment: Readonly<Record<string, string>>
  /** A request to the service API in clear, as the owner. */
  request(method: string, path: string, body?: unknown): Promise<Response>
}

export async function startHub({
  roles = allRoles,
  settings = {},
  reach = async ({ port }) => Number(port),
  clock,
}: {
  roles?: readonly Role[]
  /** Opens a way to the port of Postgres, and returns the port to use instead. */
  reach?: (database: URL) => Promise<number>
  /** Environment variables that differ from those of other test hubs. */
  settings?: Readonly<Record<string, string>>
  /** Instead of the time of Postgres. */
  clock?: HubClock
} = {}): Promise<TestHub> {
  const template = await templateDatabase(inject('databaseUrl'), 'hub', async (url) => {
    await prepareDatabase({ databaseUrl: url, policies: [] })
  })
  const database = await createDatabase(inject('databaseUrl'), { template })
  const dataDir = await mkdtemp(join(tmpdir(), 'muster-hub-'))
  const address = new URL(database.url)
  address.port = String(await reach(address))
  const environment = {
    DATABASE_URL: address.href,
    REDIS_URL: inject('redisUrl'),
    MUSTER_REDIS_PREFIX: uniquePrefix(),
    MUSTER_DATA_DIR: dataDir,
    MUSTER_HTTPS_PORT: '0',
    MUSTER_HTTP_PORT: '0',
    MUSTER_MQTTS_PORT: '0',
    MUSTER_LOG_LEVEL: 'error',
    MUSTER_SHUTDOWN_SECONDS: '10',
    ...settings,
  }
  const config = loadConfig({ dataDir }, environment)
  const running = await runRoles(roles, config, clock === undefined ? {} : { clock })
  const policy = await findPolicy(config, 'iothubowner')
  const token = signSasToken({
    resource: 'localhost',
    key: policy.primaryKey,
    policyName: policy.name,
    expiresAt: new Date(Date.now() + 3_600_000),
  })
  const { http, https, mqtts } = running.ports

  return {
    running,
    environment,
    token,
    connectionString: formatConnectionString({
      hostName: 'localhost',
      sharedAccessKeyName: policy.name,
      sharedAccessKey: policy.primaryKey,
    }),
    ca: running.hub.front.tls.ca,
    httpsPort: https ?? 0,
    httpPort: http,
    mqttsPort: mqtts ?? 0,
    request: requestTo(http, token),
    async [Symbol.asyncDispose]() {
      await running.stop('the test is over')
      await database[Symbol.asyncDispose]()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** Requests to the service API in clear. */
export function requestTo(httpPort: number, token: string): TestHub['request'] {
  return (method, path, body) =>
    fetch(`http://127.0.0.1:${httpPort}${path}${path.includes('?') ? '&' : '?'}api-version=2021-04-12`, {
      method,
      headers: { authorization: token, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
}
