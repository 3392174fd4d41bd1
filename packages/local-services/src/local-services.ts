import { startPostgresContainer, startRedisContainer } from './containers.ts'
import { claimDataDir } from './machine/data-dir.ts'
import { LocalServicesError, reasonOf } from './machine/error.ts'
import { givenStore, type Store, type StoreIncident } from './machine/store.ts'
import { findStoreUser } from './machine/store-user.ts'
import { startPostgres } from './postgres/postgres.ts'
import { startRedis } from './redis/redis.ts'

export interface LocalServices extends AsyncDisposable {
  readonly databaseUrl: string
  readonly redisUrl: string
  /** The stores that were found or started, one line each, for the user. Without passwords. */
  readonly description: readonly string[]
}

export interface LocalServicesOptions {
  /** Used as it is: neither started nor checked. */
  readonly databaseUrl?: string | undefined
  /** Used as it is: neither started nor checked. */
  readonly redisUrl?: string | undefined
  /** Where stores that we start keep their files; made when missing. */
  readonly dataDir: string
  /** true: data survives a crash and is there at the next start. false: as fast as possible, for tests. */
  readonly durable: boolean
  /** Default local. With testcontainers the data ends with the container, whatever `durable` says. */
  readonly provider?: 'local' | 'testcontainers'
  /** Called when a private store ends without being asked, and for each attempt to start it again. */
  readonly onIncident?: (incident: StoreIncident) => void
}

/**
 * The given Postgres and Redis, else private ones on free loopback ports. Private stores end on dispose (within 5 s), at the exit of
 * this process and, on Linux, when it is killed. Stores that a killed process left on the same data folder are ended first. A private
 * store that ends without being asked is started again with the same address, unless it is a container.
 * Never uses a server just because it listens on a well-known port. Throws LocalServicesError.
 */
export async function startLocalServices(options: LocalServicesOptions): Promise<LocalServices> {
  const started: AsyncDisposable[] = []
  const dispose = async () => {
    for (const resource of started.splice(0).reverse()) await resource[Symbol.asyncDispose]()
  }

  try {
    const { postgres, redis } = await startStores(options, (resource) => {
      started.push(resource)
      return resource
    })
    return {
      databaseUrl: postgres.url,
      redisUrl: redis.url,
      description: [postgres.description, redis.description],
      [Symbol.asyncDispose]: dispose,
    }
  } catch (cause) {
    await dispose()
    throw explained(cause, options.dataDir)
  }
}

/** Calls `own` with each resource as soon as it exists, so that it ends when a later step fails. */
async function startStores(
  { databaseUrl, redisUrl, dataDir, durable, provider, onIncident = () => {} }: LocalServicesOptions,
  own: <T extends AsyncDisposable>(resource: T) => T,
): Promise<{ postgres: Store; redis: Store }> {
  const givenPostgres = databaseUrl ? givenStore('Postgres', databaseUrl) : undefined
  const givenRedis = redisUrl ? givenStore('Redis', redisUrl) : undefined
  if (givenPostgres && givenRedis) return { postgres: givenPostgres, redis: givenRedis }

  if (provider === 'testcontainers') {
    const postgres = givenPostgres ?? own(await startPostgresContainer())
    const redis = givenRedis ?? own(await startRedisContainer())
    return { postgres, redis }
  }

  const user = await findStoreUser()
  const place = { claim: own(await claimDataDir(dataDir, user)), durable, user, onIncident }
  const postgres = givenPostgres ?? own(await startPostgres(place))
  const redis = givenRedis ?? own(await startRedis(place))
  return { postgres, redis }
}

/** A full disk, a forbidden file: an error of the system is a problem for the user to solve, and no bug. */
function explained(cause: unknown, dataDir: string): unknown {
  if (!(cause instanceof Error && 'syscall' in cause)) return cause
  return new LocalServicesError(`Postgres and Redis cannot run in the data folder ${dataDir}: ${reasonOf(cause)}`, {
    cause,
  })
}
