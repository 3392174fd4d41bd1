import { LocalServicesError, reasonOf } from './machine/error.ts'
import type { Store } from './machine/store.ts'

// testcontainers is loaded only where a container is really wanted: it is large, and the quickstart seldom needs it.

/** A Postgres in Docker. Its data ends with it. */
export async function startPostgresContainer(): Promise<Store> {
  const { PostgreSqlContainer } = await import('@testcontainers/postgresql')
  const container = await started(
    'Postgres',
    new PostgreSqlContainer('postgres:16')
      .withEnvironment({ POSTGRES_INITDB_ARGS: '--encoding=UTF8 --locale=C' })
      .withCommand(['postgres', '-c', 'max_connections=200', '-c', 'jit=off', '-c', 'fsync=off'])
      .start(),
  )
  return storeOf('Postgres 16', container, container.getConnectionUri())
}

/** A Redis in Docker. Its data ends with it. */
export async function startRedisContainer(): Promise<Store> {
  const { RedisContainer } = await import('@testcontainers/redis')
  const container = await started(
    'Redis',
    new RedisContainer('redis:7')
      .withCommand(['redis-server', '--maxmemory-policy', 'noeviction', '--save', ''])
      .start(),
  )
  return storeOf('Redis 7', container, container.getConnectionUrl())
}

export async function isDockerRunning(): Promise<boolean> {
  const { getContainerRuntimeClient } = await import('testcontainers')
  return getContainerRuntimeClient().then(
    () => true,
    () => false,
  )
}

async function started<T>(name: string, starting: Promise<T>): Promise<T> {
  return starting.catch((cause) => {
    throw new LocalServicesError(`${name} did not start in a container (${reasonOf(cause)}): is Docker running?`, {
      cause,
    })
  })
}

function storeOf(product: string, container: { stop(): Promise<unknown> }, url: string): Store {
  return {
    url,
    description: `${product} (container, no data is kept)`,
    [Symbol.asyncDispose]: async () => {
      await container.stop()
    },
  }
}
