import { LocalServicesError, reasonOf } from './machine/error.ts'
import type { Store } from './machine/store.ts'

// testcontainers is loaded only when a container is needed. It is large, and only a development install has it.

/** A Postgres in Docker. Its data ends with it. */
export async function startPostgresContainer(): Promise<Store> {
  const { PostgreSqlContainer } = await installed(import('@testcontainers/postgresql'))
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
  const { RedisContainer } = await installed(import('@testcontainers/redis'))
  const container = await started(
    'Redis',
    new RedisContainer('redis:7')
      .withCommand(['redis-server', '--maxmemory-policy', 'noeviction', '--save', ''])
      .start(),
  )
  return storeOf('Redis 7', container, container.getConnectionUrl())
}

export async function isDockerRunning(): Promise<boolean> {
  return installed(import('testcontainers'))
    .then(({ getContainerRuntimeClient }) => getContainerRuntimeClient())
    .then(
      () => true,
      () => false,
    )
}

async function installed<Module>(loading: Promise<Module>): Promise<Module> {
  return loading.catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ERR_MODULE_NOT_FOUND') throw cause
    const message = 'testcontainers is not installed: "npm ci" without --omit=dev installs it'
    throw new LocalServicesError(message, { cause })
  })
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
