import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { isDockerRunning, startRedisContainer } from '../containers.ts'
import { extractDebianProgram } from '../machine/debian-program.ts'
import { LocalServicesError, reasonOf } from '../machine/error.ts'
import { makeStoreFolder } from '../machine/folders.ts'
import { findFreePort } from '../machine/free-port.ts'
import type { Store, StorePlace } from '../machine/store.ts'
import { startWatchedStore } from '../machine/watched-store.ts'
import { installHint } from './install-hint.ts'

/**
 * A private Redis on a free loopback port: the program on the PATH, else a private copy of Debian's or Ubuntu's package, else
 * a container if a Docker engine answers. The container keeps no data, which is allowed, because Redis holds only hints.
 */
export async function startRedis(place: StorePlace): Promise<Store> {
  const installed = (await redisAt('redis-server')) ?? (await redisAt('valkey-server'))
  if (installed) return startProgram(place, installed)

  const extracted = await extractDebianProgram(debianRedis, place.user).catch((cause) => reasonOf(cause))
  const program = typeof extracted === 'object' ? await redisAt(extracted.file, extracted.env) : undefined
  if (program) return startProgram(place, program)

  if (await isDockerRunning()) return startRedisContainer()
  const attempt = typeof extracted === 'string' ? ` (a private copy failed: ${extracted})` : ''
  throw new LocalServicesError(`no Redis was found${attempt}: install one (${await installHint()}) or set REDIS_URL`)
}

/** Debian's package redis-server has only this link. The program is in redis-tools. */
const debianRedis = { name: 'redis-server', package: 'redis-tools', path: 'usr/bin/redis-check-rdb' }

interface RedisProgram {
  readonly file: string
  readonly env: NodeJS.ProcessEnv | undefined
  /** 'Redis 7.0.15' or 'Valkey 8.0.1' */
  readonly product: string
}

async function redisAt(file: string, env?: NodeJS.ProcessEnv): Promise<RedisProgram | undefined> {
  const output = await promisify(execFile)(file, ['--version'], { env }).catch(() => undefined)
  const [, product, version] = output?.stdout.match(/^(\w+) server v=(\S+)/) ?? []
  return product === undefined ? undefined : { file, env, product: `${product} ${version}` }
}

async function startProgram(place: StorePlace, { file, env, product }: RedisProgram): Promise<Store> {
  const folder = join(place.claim.dataDir, 'redis')
  const port = await findFreePort()
  const password = randomBytes(24).toString('base64url')
  const running = await startWatchedStore(place, {
    name: 'Redis',
    file,
    args: ['-'],
    env,
    cwd: folder,
    prepare: () => makeStoreFolder(folder, place.user),
    input: configuration(place, port, password),
    isReady: (_store, log) => log.includes('Ready to accept connections'),
  })
  return {
    url: `redis://:${password}@127.0.0.1:${port}`,
    description: `${product} (private, ${place.durable ? `data in ${folder}` : 'in memory'})`,
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  }
}

/** The password keeps other users of the machine out. They could write files as our user by CONFIG SET. */
function configuration({ durable }: StorePlace, port: number, password: string): string {
  return `
    bind 127.0.0.1
    port ${port}
    requirepass ${password}
    maxmemory-policy noeviction
    appendonly ${durable ? 'yes' : 'no'}
    save ""
  `
}
