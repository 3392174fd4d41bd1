import { type Bus, connectBus } from '@muster/bus'
import { type Connection, checkPostgres, checkSchema, connect, type Db } from '@muster/store'
import type { Config } from '../config/config.ts'
import { StartError } from '../config/start-error.ts'
import type { Check } from '../observability/health.ts'
import { orAborted } from './deadline.ts'

export interface Stores {
  readonly db: Db
  readonly bus: Bus
  readonly checks: readonly Check[]
  close(): Promise<void>
}

/** When BullMQ closes, it waits for Redis, which may be gone. */
const busCloseMs = 2000

/**
 * Connects to Postgres and Redis and checks that both answer. Throws StartError. `onLoss` is called for later losses of Redis. They
 * make the process unready if it `needsRedis`.
 */
export async function openStores(
  config: Config,
  { needsRedis, onLoss }: { needsRedis: boolean; onLoss: (error: Error) => void },
): Promise<Stores> {
  const { db, close } = await openPostgres(config)
  const bus = await openRedis(config, onLoss).catch(async (error) => {
    await close()
    throw error
  })
  return {
    db,
    bus,
    checks: [
      { name: 'postgres', check: () => checkPostgres(db), isNeeded: true },
      { name: 'redis', check: () => bus.ping(), isNeeded: needsRedis },
    ],
    async close() {
      await orAborted(bus[Symbol.asyncDispose](), AbortSignal.timeout(busCloseMs))
      await close()
    },
  }
}

async function openPostgres({ databaseUrl, poolSize, prepareStatements }: Config): Promise<Connection> {
  const url = requiredUrl('DATABASE_URL', databaseUrl)
  const connection = connect({ url, poolSize, prepare: prepareStatements })
  await answering('Postgres', url, checkSchema(connection.db)).catch(async (error) => {
    await connection.close()
    throw error
  })
  return connection
}

async function openRedis({ redisUrl, redisPrefix }: Config, onLoss: (error: Error) => void): Promise<Bus> {
  const url = requiredUrl('REDIS_URL', redisUrl)
  // A loss before the bus exists is the reason why the start fails. The client itself only says that the connection is closed.
  let loss: Error | undefined
  let isOpen = false
  const onError = (error: Error) => {
    loss = error
    if (isOpen) onLoss(error)
  }
  const opening = connectBus({ url, prefix: redisPrefix, onError }).catch((error) => {
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
