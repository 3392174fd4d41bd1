import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import postgres from 'postgres'
import { expect, it } from 'vitest'
import { type LocalServices, type StoreIncident, startLocalServices } from '../src/index.ts'
import { isAlive, type OsProcess } from '../src/machine/os-process.ts'
import { askRedis, authOf, givenDataDir, givenOwner, killed, query, spawnProgram, storesOf } from './given.ts'

it('a Redis that is killed runs again with the same address and data', async () => {
  await using dataDir = givenDataDir()
  await using watched = await givenWatched(dataDir.path, { durable: true })
  const { redisUrl } = watched.services
  await askRedis(redisUrl, authOf(redisUrl), 'set kept blue')

  process.kill(watched.store('Redis').pid, 'SIGKILL')
  await watched.heard('restarted')

  expect(await askRedis(redisUrl, authOf(redisUrl), 'get kept')).toEqual(['+OK', '$4', 'blue'])
  expect(watched.incidents).toEqual([
    { store: 'Redis', kind: 'ended', message: 'Redis has ended unexpectedly (SIGKILL): it is started again' },
    { store: 'Redis', kind: 'restarted', message: expect.stringMatching(/^Redis runs again after \d+\.\d s$/) },
  ])
})

it('a Postgres that is killed runs again with the same address and data, though a statement of it goes on', async () => {
  await using dataDir = givenDataDir()
  await using watched = await givenWatched(dataDir.path, { durable: true })
  const { databaseUrl } = watched.services
  await query(databaseUrl, `create table kept as select 'red' as colour`)
  const busy = postgres(databaseUrl, { max: 1, onnotice: () => {} })
  const cut = busy`select count(*) from generate_series(1, 1000000) a, generate_series(1, 1000000) b`.catch(
    (error) => error,
  )
  await expect
    .poll(() => query(databaseUrl, `select 1 from pg_stat_activity where query like '%1000000%' and state = 'active'`))
    .toHaveLength(2)

  process.kill(watched.store('Postgres').pid, 'SIGKILL')
  await watched.heard('restarted')

  expect(await query(databaseUrl, 'select colour from kept')).toEqual([{ colour: 'red' }])
  expect(await cut).toBeInstanceOf(Error)
  expect(watched.incidents.map(({ store, kind }) => [store, kind])).toEqual([
    ['Postgres', 'ended'],
    ['Postgres', 'restarted'],
  ])
  await busy.end({ timeout: 0 })
})

it('a store that cannot run is tried again until it can, and each failure says why', async () => {
  await using dataDir = givenDataDir()
  await using watched = await givenWatched(dataDir.path, { durable: true })
  const versionFile = join(dataDir.path, 'postgres', 'PG_VERSION')
  const version = await readFile(versionFile, 'utf8')
  await writeFile(versionFile, '15\n')

  process.kill(watched.store('Postgres').pid, 'SIGKILL')
  const { message } = await watched.heard('restartFailed')
  await writeFile(versionFile, version)
  await watched.heard('restarted')

  expect(message).toMatch(/^Postgres could not be started again, the next attempt is within \d+ s: .*incompatible/)
  expect(await query(watched.services.databaseUrl, 'select 1 as one')).toEqual([{ one: 1 }])
})

it('a Redis whose folder was deleted runs again, empty', async () => {
  await using dataDir = givenDataDir()
  await using watched = await givenWatched(dataDir.path, { durable: true })
  const { redisUrl } = watched.services
  await askRedis(redisUrl, authOf(redisUrl), 'set lost blue')

  await rm(join(dataDir.path, 'redis'), { recursive: true })
  process.kill(watched.store('Redis').pid, 'SIGKILL')
  await watched.heard('restarted')

  expect(await askRedis(redisUrl, authOf(redisUrl), 'get lost')).toEqual(['+OK', '$-1'])
})

it('a store that ended shortly before dispose is not left behind', async () => {
  await using dataDir = givenDataDir()
  const watched = await givenWatched(dataDir.path, { durable: false })
  const { redisUrl } = watched.services

  process.kill(watched.store('Redis').pid, 'SIGKILL')
  await watched.heard('ended')
  await watched.services[Symbol.asyncDispose]()

  await expect(askRedis(redisUrl, 'ping')).rejects.toThrow('ECONNREFUSED')
})

it('dispose is no incident', async () => {
  await using dataDir = givenDataDir()
  const watched = await givenWatched(dataDir.path, { durable: false })

  await watched.services[Symbol.asyncDispose]()

  expect(watched.incidents).toEqual([])
})

it('a process that ends its stores last gets to its own end', async () => {
  await using dataDir = givenDataDir()
  const program = spawnProgram(new URL('repeat.ts', import.meta.url), dataDir.path, '20')

  const [printed, [code]] = await Promise.all([text(program.stdout), once(program, 'exit')])

  expect([printed, code]).toEqual(['done\n', 0])
})

it('ends a store that a killed owner had started again', async () => {
  await using dataDir = givenDataDir()
  const { owner, stores } = await givenOwner(dataDir.path)
  process.kill(named(stores, 'Redis').pid, 'SIGKILL')
  await expect
    .poll(() => storesOf(dataDir.path).map(({ pid }) => pid))
    .toEqual([named(stores, 'Postgres').pid, expect.not.toBeOneOf(stores.map(({ pid }) => pid))])
  // Before it is ready, the end of its owner may reach it sooner than its being frozen.
  await expect.poll(() => readFile(join(dataDir.path, 'redis.log'), 'utf8')).toContain('Ready to accept connections')
  const again = storesOf(dataDir.path)
  // Frozen, they cannot end by themselves.
  for (const store of again) process.kill(store.pid, 'SIGSTOP')
  await killed(owner)
  const left = again.filter(isAlive)

  await using _services = await startLocalServices({ dataDir: dataDir.path, durable: true })

  expect(left).toHaveLength(2)
  expect(again.filter(isAlive)).toEqual([])
})

interface Watched extends AsyncDisposable {
  readonly services: LocalServices
  readonly incidents: readonly StoreIncident[]
  /** The process that is this store now. */
  store(name: StoreIncident['store']): OsProcess
  /** The first incident of the kind, which may still come. */
  heard(kind: StoreIncident['kind']): Promise<StoreIncident>
}

async function givenWatched(dataDir: string, { durable }: { durable: boolean }): Promise<Watched> {
  const incidents: StoreIncident[] = []
  const listeners = new Set<() => void>()
  const services = await startLocalServices({
    dataDir,
    durable,
    provider: 'local',
    onIncident(incident) {
      incidents.push(incident)
      for (const listener of listeners) listener()
    },
  })
  return {
    services,
    incidents,
    store: (name) => named(storesOf(dataDir), name),
    heard: (kind) =>
      new Promise((resolve) => {
        const look = () => {
          const incident = incidents.find((each) => each.kind === kind)
          if (incident) resolve(incident)
        }
        listeners.add(look)
        look()
      }),
    [Symbol.asyncDispose]: () => services[Symbol.asyncDispose](),
  }
}

function named(stores: readonly OsProcess[], name: StoreIncident['store']): OsProcess {
  const command = ({ pid }: OsProcess) => execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' })
  const store = stores.find((each) => command(each).includes(name.toLowerCase()))
  if (!store) throw new Error(`${name} does not run`)
  return store
}
