import { type BearerVerifier, defaultPolicies, generateKey, type Policy, signSasToken } from '@muster/auth'
import { type Bus, connectBus } from '@muster/bus'
import { createEventIds, type EventIds, gatewayId, storedIdentity } from '@muster/contract'
import {
  createThrottles,
  createWebhookCalls,
  type Events,
  noTracing,
  openEvents,
  openLog,
  openMetrics,
  parseThrottleRates,
  type Resolve,
  type Throttles,
  type Tracing,
  type WebhookCalls,
} from '@muster/runtime'
import { connect, type Db, ensurePolicies, migrate, openSession, readHubId, storeSubscriptions } from '@muster/store'
import { createDatabase, templateDatabase, uniquePrefix } from '@muster/testkit'
import { inject } from 'vitest'
import { createApp } from '../src/app.ts'
import { createJobFeed, type JobFeed } from '../src/events/feed.ts'
import { createSessions, type Sessions } from '../src/events/session-cookie.ts'
import { continuationKey } from '../src/http/paging.ts'

interface Reply {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever JSON comes
  readonly body: any
  /** The body as it came. */
  readonly text: string
}

interface Options {
  readonly headers?: Readonly<Record<string, string>>
  readonly apiVersion?: string | null
  /** A policy's name, a whole header, or null for none. */
  readonly policy?: string
  readonly authorization?: string | null
  /** Sent as it stands. */
  readonly text?: string | Uint8Array
}

export interface Api extends AsyncDisposable {
  readonly db: Db
  readonly bus: Bus
  readonly events: Events
  readonly throttles: Throttles
  readonly bearer: BearerVerifier | null
  readonly eventIds: EventIds
  readonly feed: JobFeed
  readonly sessions: Sessions
  readonly clock: { time: Date; now(): Date }
  readonly tracing: Tracing
  readonly webhookCalls: WebhookCalls
  readonly maxRunningJobs: number
  readonly policies: readonly Policy[]
  readonly app: ReturnType<typeof createApp>
  /** From then on Postgres cannot be had. */
  loseDatabase(): Promise<void>
  /** From then on Postgres takes no writes. */
  makeDatabaseReadOnly(): Promise<void>
  /** Sends a request with a good token and an api-version, unless told otherwise. */
  send(method: string, path: string, body?: unknown, options?: Options): Promise<Reply>
}

export const hostName = 'hub.example.net'
export const noon = new Date('2026-03-02T12:00:00Z')

/** The API over a database and a Redis prefix of its own, at noon until the clock is moved. */
export async function openApi({
  throttle = '{}',
  bearer = null,
  allowedNetworks = [],
  resolve,
}: {
  /** As MUSTER_THROTTLE. */
  throttle?: string
  bearer?: BearerVerifier | null
  /** As MUSTER_WEBHOOK_ALLOWED_NETWORKS. */
  allowedNetworks?: readonly string[]
  /** Names of receivers of webhooks. Absent: those of this machine. */
  resolve?: Resolve
} = {}): Promise<Api> {
  const template = await templateDatabase(inject('databaseUrl'), 'migrated', migrate)
  const database = await createDatabase(inject('databaseUrl'), { template })
  const connection = connect({ url: database.url, poolSize: 4 })
  const policies = defaultPolicies.map((policy) => ({
    ...policy,
    primaryKey: generateKey(),
    secondaryKey: generateKey(),
  }))
  await ensurePolicies(connection.db, policies)
  const bus = await connectBus({ url: inject('redisUrl'), prefix: uniquePrefix(), onError: () => {} })
  const events = openEvents({ log: openLog('silent'), metrics: openMetrics('1.2.3') })
  const throttles = createThrottles({ bus, events }, parseThrottleRates(throttle) ?? {})
  const clock = { time: noon, now: () => clock.time }
  const webhookCalls = createWebhookCalls({ clock, allowedNetworks, ...(resolve === undefined ? {} : { resolve }) })
  let isDatabaseLost = false
  const eventIds = createEventIds(await readHubId(connection.db))
  const sessions = createSessions('a secret')
  const feed = createJobFeed({ db: connection.db, clock, events, eventIds })
  const app = createApp({
    db: connection.db,
    bus,
    events,
    throttles,
    tracing: noTracing,
    bearer,
    clock,
    webhookCalls,
    maxRunningJobs: 2,
    hostNames: [hostName, 'localhost'],
    continuationKey: continuationKey('a secret'),
    eventIds,
    feed,
    sessions,
  })

  return {
    db: connection.db,
    bus,
    events,
    tracing: noTracing,
    webhookCalls,
    maxRunningJobs: 2,
    throttles,
    bearer,
    eventIds,
    feed,
    sessions,
    clock,
    policies,
    app,
    async makeDatabaseReadOnly() {
      await connection.db.execute(`
        do $$ begin
          execute format('alter database %I set default_transaction_read_only = on', current_database());
        end $$`)
      // The setting counts for new connections, and this one ends, too: the last, or those behind it would stay.
      await connection.db
        .execute(
          `select pg_terminate_backend(pid)
             from (select pid from pg_stat_activity
                    where datname = current_database() order by pid = pg_backend_pid() offset 0) as connections`,
        )
        .catch(() => {})
    },
    async loseDatabase() {
      isDatabaseLost = true
      await connection.close()
    },
    send: (method, path, body, options = {}) => send({ app, policies, clock }, { method, path, body, ...options }),
    async [Symbol.asyncDispose]() {
      feed.close()
      await bus[Symbol.asyncDispose]()
      if (!isDatabaseLost) await connection.close()
      await database[Symbol.asyncDispose]()
    },
  }
}

/** A service token, valid for an hour, as `azure-iothub` makes it. */
export function tokenOf({ policies, clock }: Pick<Api, 'policies' | 'clock'>, policyName: string): string {
  const policy = policies.find(({ name }) => name === policyName)
  if (policy === undefined) throw new Error(`no policy ${policyName}`)
  const expiresAt = new Date(clock.now().getTime() + 3_600_000)
  return signSasToken({ resource: hostName, key: policy.primaryKey, expiresAt, policyName })
}

/** Connects a device or module that takes methods, as a gateway would. */
export async function connectDevice(api: Api, key: string, gateway: string): Promise<void> {
  const identity = storedIdentity(key)
  const connection = { identity, gatewayId: gatewayId(gateway), clean: true }
  const { connectionNo } = await openSession(api.db, connection, api.clock.now())
  const topics = [{ topic: '$iothub/methods/POST/#', qos: 0 } as const]
  await storeSubscriptions(api.db, { identity, connectionNo }, topics, true)
}

async function send(
  api: Pick<Api, 'app' | 'policies' | 'clock'>,
  request: Options & { method: string; path: string; body: unknown },
): Promise<Reply> {
  const { method, path, body, apiVersion = '2021-04-12', policy = 'iothubowner' } = request
  const authorization = request.authorization === undefined ? tokenOf(api, policy) : request.authorization
  const version = apiVersion === null ? '' : `${path.includes('?') ? '&' : '?'}api-version=${apiVersion}`
  const text = request.text ?? (body === undefined ? undefined : JSON.stringify(body))
  const response = await api.app.request(`https://${hostName}${path}${version}`, {
    method,
    headers: { ...(authorization === null ? {} : { authorization }), ...request.headers },
    ...(text === undefined ? {} : { body: text }),
  })
  const reply = isStream(response) ? await leave(response) : await response.text()
  const read = reply === '' ? undefined : JSON.parse(reply)
  return { status: response.status, headers: response.headers, body: read, text: reply }
}

function isStream({ headers }: Response): boolean {
  return headers.get('content-type')?.startsWith('text/event-stream') ?? false
}

/** A stream would go on. */
async function leave({ body }: Response): Promise<string> {
  await body?.cancel()
  return ''
}
