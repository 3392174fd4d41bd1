import { type Bus, connectBus } from '@muster/bus'
import { type Connection, checkPostgres, checkSchema, connect, type Db, type Times } from '@muster/store'
import type { Config } from '../config/config.ts'
import { StartError } from '../config/start-error.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { Check } from '../observability/health.ts'
import { orAborted } from './deadline.ts'
import { showPools, timesOf } from './pool-metrics.ts'
import type { HubClock } from './role.ts'

export interface Stores {
  readonly db: Db
  /** For the API: connections of its own when it has other roles beside it. */
  readonly apiDb: Db
  readonly bus: Bus
  readonly clock: HubClock
  readonly checks: readonly Check[]
  close(): Promise<void>
}

/**
 * The API's part of the connections of a process with other roles. Its callers decide how many slow requests there are, and those must not
 * take the connections of the others.
 */
const apiShare = 1 / 3

/** When BullMQ closes, it waits for Redis, which may be gone. */
const busCloseMs = 2000

interface StoreUse {
  readonly startClock: (db: Db) => Promise<HubClock & Disposable>
  readonly needsRedis: boolean
  /** The API and other roles run in this process. */
  readonly sharesWithApi: boolean
  readonly onLoss: (error: Error) => void
  readonly metrics: Metrics
}

/**
 * Connects to Postgres and Redis and checks that both answer. Throws StartError. `startClock` makes the time of the hub from Postgres.
 * `onLoss` is called for later losses of Redis. They make the process unready if it `needsRedis`.
 */
export async function openStores(config: Config, use: StoreUse): Promise<Stores> {
  const apiPoolSize = use.sharesWithApi ? Math.max(1, Math.floor(config.poolSize * apiShare)) : 0
  const main = await openPostgres({ ...config, poolSize: config.poolSize - apiPoolSize }, timesOf(use.metrics, 'main'))
  const { db, close } = main
  const ownApi = use.sharesWithApi
    ? connectWith({ ...config, poolSize: apiPoolSize }, timesOf(use.metrics, 'api'))
    : null
  const api = ownApi ?? { db, close: async () => {} }
  showPools(use.metrics, [
    { pool: 'main', size: config.poolSize - apiPoolSize, use: main.use },
    ...(ownApi === null ? [] : [{ pool: 'api' as const, size: apiPoolSize, use: ownApi.use }]),
  ])
  const closers: (() => Promise<unknown>)[] = [() => Promise.all([api.close(), close()])]
  const closeAll = async () => {
    for (const each of closers.toReversed()) await each()
  }
  try {
    const clock = await answering('Postgres', requiredUrl('DATABASE_URL', config.databaseUrl), use.startClock(db))
    closers.push(async () => clock[Symbol.dispose]())
    const bus = await openRedis(config, { clock, onLoss: use.onLoss })
    closers.push(() => orAborted(bus[Symbol.asyncDispose](), AbortSignal.timeout(busCloseMs)))
    return {
      db,
      apiDb: api.db,
      bus,
      clock,
      checks: [
        { name: 'postgres', check: () => checkPostgres(db), isNeeded: true },
        { name: 'redis', check: () => bus.ping(), isNeeded: use.needsRedis },
        { name: 'clock', check: () => checkClock(clock), isNeeded: true },
      ],
      close: closeAll,
    }
  } catch (error) {
    await closeAll()
    throw error
  }
}

async function checkClock(clock: HubClock): Promise<void> {
  if (!clock.isTrusted()) throw new Error('the time of the hub is not known to half a second')
}

async function openPostgres(config: Config, times: Times): Promise<Connection> {
  const url = requiredUrl('DATABASE_URL', config.databaseUrl)
  const connection = connectWith(config, times)
  await answering('Postgres', url, checkSchema(connection.db)).catch(async (error) => {
    await connection.close()
    throw error
  })
  return connection
}

/** Connects to nothing before the first statement. */
function connectWith({ databaseUrl, poolSize, prepareStatements }: Config, times: Times): Connection {
  return connect({ url: requiredUrl('DATABASE_URL', databaseUrl), poolSize, prepare: prepareStatements, times })
}

async function openRedis(
  { redisUrl, redisPrefix }: Config,
  { clock, onLoss }: { clock: HubClock; onLoss: (error: Error) => void },
): Promise<Bus> {
  const url = requiredUrl('REDIS_URL', redisUrl)
  // A loss before the bus exists is the reason why the start fails. The client itself only says that the connection is closed.
  let loss: Error | undefined
  let isOpen = false
  const onError = (error: Error) => {
    loss = error
    if (isOpen) onLoss(error)
  }
  const opening = connectBus({ url, prefix: redisPrefix, onError, clock }).catch((error) => {
    throw loss ?? error
  })
  const bus = await answering('Redis', url, opening)
  isOpen = true
  return bus
}

/** Throws StartError when the variable is not set. */
export function requiredUrl(name: string, value: string | null): string {
  if (value === null)
    throw new StartError(`${name} is not set; "muster all" and the quickstart start a store of their own`)
  return value
}

/** Turns an error of the client of a store into a StartError of one line. */
export async function answering<Result>(store: string, url: string, work: Promise<Result>): Promise<Result> {
  try {
    return await work
  } catch (cause) {
    throw new StartError(`${store} at ${new URL(url).host}: ${reasonOf(cause)}`, { cause })
  }
}

/** The innermost cause, in one line. The layers above it repeat the statement. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.cause !== undefined) return reasonOf(error.cause)
  if (error instanceof AggregateError) return reasonOf(error.errors[0])
  return error.message.replaceAll(/\s*\n\s*/g, ' ')
}
