import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startLocalServices } from '../src/index.ts'
import { isAlive } from '../src/machine/os-process.ts'
import { askRedis, authOf, givenDataDir, givenOwner, killed, query } from './given.ts'

it('refuses a second start on a data folder while its owner lives', async () => {
  await using dataDir = givenDataDir()
  const { owner, stores } = await givenOwner(dataDir.path)

  const second = startLocalServices({ dataDir: dataDir.path, durable: true })

  await expect(second).rejects.toThrow(`already running, pid ${owner.pid}, on the data folder ${dataDir.path}`)
  expect(stores.filter(isAlive)).toHaveLength(2)
  await killed(owner)
})

it('refuses a second start by the same process', async () => {
  await using dataDir = givenDataDir()
  await using _first = await startLocalServices({ dataDir: dataDir.path, durable: false })

  const second = startLocalServices({ dataDir: dataDir.path, durable: false })

  await expect(second).rejects.toThrow(`already running, pid ${process.pid}`)
})

it.runIf(process.platform === 'linux')('the stores end by themselves when their owner is killed', async () => {
  await using dataDir = givenDataDir()
  const { owner, stores } = await givenOwner(dataDir.path)

  await killed(owner)

  await expect.poll(() => stores.filter(isAlive), { timeout: 10_000 }).toEqual([])
})

it('ends the stores that a killed owner left running, and finds its data', async () => {
  await using dataDir = givenDataDir()
  const { owner, stores } = await givenOwner(dataDir.path)
  // Frozen, they cannot end by themselves.
  for (const store of stores) process.kill(store.pid, 'SIGSTOP')
  await killed(owner)
  const left = stores.filter(isAlive)

  await using services = await startLocalServices({ dataDir: dataDir.path, durable: true })

  expect(left).toHaveLength(2)
  expect(stores.filter(isAlive)).toEqual([])
  expect(await query(services.databaseUrl, 'select 1 as one')).toEqual([{ one: 1 }])
  expect(await askRedis(services.redisUrl, authOf(services.redisUrl), 'ping')).toEqual(['+OK', '+PONG'])
})

it('starts although the process id in a stale postmaster.pid is in use again', async () => {
  await using dataDir = givenDataDir()
  const options = { dataDir: dataDir.path, durable: true }
  await (await startLocalServices(options))[Symbol.asyncDispose]()
  const cluster = join(dataDir.path, 'postgres')
  // Not our own id: Postgres itself passes over its parent's.
  await writeFile(join(cluster, 'postmaster.pid'), `${process.ppid}\n${cluster}\n1700000000\n5432\n`)

  await using services = await startLocalServices(options)

  expect(await query(services.databaseUrl, 'select 1 as one')).toEqual([{ one: 1 }])
})

it('makes the database anew when making it was interrupted', async () => {
  await using dataDir = givenDataDir()
  const unfinished = join(dataDir.path, 'postgres.unfinished')
  await mkdir(unfinished, { recursive: true })
  await writeFile(join(unfinished, 'PG_VERSION'), '16\n')

  await using services = await startLocalServices({ dataDir: dataDir.path, durable: true })

  expect(await query(services.databaseUrl, 'select 1 as one')).toEqual([{ one: 1 }])
})

it.runIf(process.platform === 'linux')('says that the data folder cannot be made, where no folder can', async () => {
  await expect(startLocalServices({ dataDir: '/proc/muster/data', durable: false })).rejects.toThrow(
    /^data folder \/proc\/muster\/data cannot be written \(.*\): choose another folder with MUSTER_DATA_DIR$/,
  )
})

it('says why Postgres did not start, in one line', async () => {
  await using dataDir = givenDataDir()
  const options = { dataDir: dataDir.path, durable: true }
  await (await startLocalServices(options))[Symbol.asyncDispose]()
  await writeFile(join(dataDir.path, 'postgres', 'PG_VERSION'), '15\n')

  const start = startLocalServices(options)

  await expect(start).rejects.toThrow(
    /^Postgres did not start: .*FATAL.*incompatible with server \(see .*postgres\.log\)$/,
  )
})
