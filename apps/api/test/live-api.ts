import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultPolicies, generateKey, signSasToken } from '@muster/auth'
import { loadConfig, type RunningHub, runRoles } from '@muster/runtime'
import { connect, ensurePolicies, migrate } from '@muster/store'
import { createDatabase, templateDatabase, uniquePrefix } from '@muster/testkit'
import { inject } from 'vitest'
import { role } from '../src/role.ts'

/** The API in a process of its own kind: on its real ports, plain and TLS. */
export interface LiveApi extends AsyncDisposable {
  readonly running: RunningHub
  readonly http: number
  readonly https: number
  readonly ca: string
  /** An Authorization header of the owner, good for an hour. */
  readonly token: string
}

export async function startLiveApi(settings: Readonly<Record<string, string>> = {}): Promise<LiveApi> {
  const template = await templateDatabase(inject('databaseUrl'), 'migrated', migrate)
  const database = await createDatabase(inject('databaseUrl'), { template })
  const ownerKey = generateKey()
  const policies = defaultPolicies.map((policy) => ({ ...policy, primaryKey: ownerKey, secondaryKey: generateKey() }))
  const connection = connect({ url: database.url, poolSize: 1 })
  await ensurePolicies(connection.db, policies)
  await connection.close()

  const dataDir = await mkdtemp(join(tmpdir(), 'muster-api-'))
  const environment = {
    DATABASE_URL: database.url,
    REDIS_URL: inject('redisUrl'),
    MUSTER_REDIS_PREFIX: uniquePrefix(),
    MUSTER_HTTPS_PORT: '0',
    MUSTER_HTTP_PORT: '0',
    MUSTER_PG_POOL_SIZE: '8',
    MUSTER_LOG_LEVEL: 'silent',
    MUSTER_SHUTDOWN_SECONDS: '5',
    ...settings,
  }
  const running = await runRoles([role], loadConfig({ dataDir }, environment))
  const expiresAt = new Date(Date.now() + 3_600_000)
  return {
    running,
    http: running.ports.http,
    https: running.ports.https ?? 0,
    ca: running.hub.front.tls.ca,
    token: signSasToken({ resource: 'localhost', key: ownerKey, policyName: 'iothubowner', expiresAt }),
    async [Symbol.asyncDispose]() {
      await running.stop('the test is over')
      await database[Symbol.asyncDispose]()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
