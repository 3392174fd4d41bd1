import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { signSasToken } from '@muster/auth'
import { removeDataDir, startLocalServices } from '@muster/local-services'
import { type Config, loadConfig, roleNames, runRoles } from '@muster/runtime'
import postgres from 'postgres'
import { findPolicy, prepareDatabase } from '../src/database.ts'
import { roles } from '../src/roles.ts'

/** What a hub runs on: `startHub` starts it, when the tables are as a benchmark wants them. */
interface Stores {
  readonly config: Config
  readonly database: postgres.Sql
}

/** Runs the work on stores of its own that keep their data, with the tables of a hub; they are gone afterwards. */
export async function withStores(work: (stores: Stores) => Promise<void>): Promise<void> {
  const dataDir = join(tmpdir(), `muster-bench-${randomUUID()}`)
  const services = await startLocalServices({ dataDir, durable: true })
  const database = postgres(services.databaseUrl, { max: 4, onnotice: () => {} })
  const environment = {
    DATABASE_URL: services.databaseUrl,
    REDIS_URL: services.redisUrl,
    MUSTER_HTTPS_PORT: '0',
    MUSTER_HTTP_PORT: '0',
    MUSTER_MQTTS_PORT: '0',
    MUSTER_LOG_LEVEL: 'warn',
  }
  try {
    const config = loadConfig({ dataDir }, environment)
    await prepareDatabase(config)
    await work({ config, database })
  } finally {
    await database.end()
    await services[Symbol.asyncDispose]()
    await removeDataDir(dataDir)
  }
}

/** Columns of a twin as SQL over `n`, the number of the device, counted from 1. */
type TwinColumns = Readonly<Record<string, string>>

/** Registers devices 1 to `deviceCount`; `deviceId` is SQL over `n`, too. */
export async function loadTwins(
  database: postgres.Sql,
  deviceCount: number,
  { deviceId, columns }: { deviceId: string; columns: TwinColumns },
): Promise<void> {
  const numbers = `generate_series(1, ${deviceCount}) as n`
  await database.unsafe(
    `insert into devices (device_id, generation_id, created_at) select ${deviceId}, '1', now() from ${numbers}`,
  )
  await database.unsafe(
    `insert into twins (device_id, ${Object.keys(columns).join(', ')})
     select ${deviceId}, ${Object.values(columns).join(', ')} from ${numbers}`,
  )
  await database`vacuum analyze devices, twins`
}

export interface BenchHub extends AsyncDisposable {
  /** A request to the service API in clear, as the owner. Throws for any status but 200. */
  request(method: string, path: string, options?: RequestOptions): Promise<Reply>
  /** The body of an answer, as it comes. `path` has a query. Throws for any status but 200. */
  download(path: string): Promise<AsyncIterable<Uint8Array>>
  /** Where devices connect, and the certificate that they trust. */
  readonly mqttsPort: number
  readonly ca: string
  /** The page for Prometheus. */
  metrics(): Promise<string>
}

interface RequestOptions {
  readonly body?: object
  readonly headers?: Readonly<Record<string, string>>
}

export interface Reply {
  readonly text: string
  readonly continuation: string | null
}

/** An Authorization header of the owner, good for an hour. */
export async function ownerToken(config: Config): Promise<string> {
  const owner = await findPolicy(config, 'iothubowner')
  return signSasToken({
    resource: 'localhost',
    key: owner.primaryKey,
    policyName: owner.name,
    expiresAt: new Date(Date.now() + 3_600_000),
  })
}

/** These roles of a hub, in this process: all, unless some are named. */
export async function startHub(config: Config, names: readonly string[] = roleNames): Promise<BenchHub> {
  const running = await runRoles(
    roles.filter(({ name }) => names.includes(name)),
    config,
  )
  const authorization = await ownerToken(config)
  return {
    mqttsPort: running.ports.mqtts ?? 0,
    ca: running.hub.front.tls.ca,
    async request(method, path, { body, headers = {} } = {}) {
      const response = await fetch(`http://127.0.0.1:${running.ports.http}${path}?api-version=2021-04-12`, {
        method,
        headers: { authorization, 'content-type': 'application/json', ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      if (response.status !== 200) throw new Error(`${method} ${path} answered ${response.status} ${text}`)
      return { text, continuation: response.headers.get('x-ms-continuation') }
    },
    async download(path) {
      const url = `http://127.0.0.1:${running.ports.http}${path}&api-version=2021-04-12`
      const { status, body } = await fetch(url, { headers: { authorization } })
      if (status !== 200 || body === null) throw new Error(`GET ${path} answered ${status}`)
      return body
    },
    metrics: async () => (await fetch(`http://127.0.0.1:${running.ports.http}/metrics`)).text(),
    [Symbol.asyncDispose]: () => running.stop('the benchmark is over'),
  }
}
