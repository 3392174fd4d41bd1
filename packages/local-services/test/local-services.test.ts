import { existsSync, readdirSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { LocalServicesError, startLocalServices } from '../src/index.ts'
import { isAlive } from '../src/machine/os-process.ts'
import { askRedis, authOf, givenDataDir, query, storesOf } from './given.ts'

it('starts a Postgres and a Redis, and dispose ends both', async () => {
  await using dataDir = givenDataDir()
  const services = await startLocalServices({ dataDir: dataDir.path, durable: false })
  const stores = storesOf(dataDir.path)

  const rows = await query(services.databaseUrl, `select current_setting('server_version_num')::int / 10000 as major`)
  const replies = await askRedis(services.redisUrl, authOf(services.redisUrl), 'ping')
  await services[Symbol.asyncDispose]()

  expect(rows).toEqual([{ major: 16 }])
  expect(replies).toEqual(['+OK', '+PONG'])
  expect(stores).toHaveLength(2)
  expect(stores.filter(isAlive)).toEqual([])
  expect(readdirSync(join(dataDir.path, 'owners'))).toEqual([])
})

it('finds what a durable start has written again', async () => {
  await using dataDir = givenDataDir()
  const options = { dataDir: dataDir.path, durable: true }
  const first = await startLocalServices(options)
  await query(first.databaseUrl, `create table kept as select 'red' as colour`)
  await askRedis(first.redisUrl, authOf(first.redisUrl), 'set kept blue')
  await first[Symbol.asyncDispose]()

  await using second = await startLocalServices(options)

  expect(await query(second.databaseUrl, 'select colour from kept')).toEqual([{ colour: 'red' }])
  expect(await askRedis(second.redisUrl, authOf(second.redisUrl), 'get kept')).toEqual(['+OK', '$4', 'blue'])
})

it('never risks durable data for speed, and refuses to evict', async () => {
  await using dataDir = givenDataDir()
  await using services = await startLocalServices({ dataDir: dataDir.path, durable: true })

  const settings = await query(
    services.databaseUrl,
    `select name, setting from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit') order by name`,
  )
  const policy = await askRedis(services.redisUrl, authOf(services.redisUrl), 'config get maxmemory-policy')
  const log = await askRedis(services.redisUrl, authOf(services.redisUrl), 'config get appendonly')

  expect(settings).toEqual([
    { name: 'fsync', setting: 'on' },
    { name: 'full_page_writes', setting: 'on' },
    { name: 'synchronous_commit', setting: 'on' },
  ])
  expect(policy.at(-1)).toBe('noeviction')
  expect(log.at(-1)).toBe('yes')
})

it('lets nobody in without the password', async () => {
  await using dataDir = givenDataDir()
  await using services = await startLocalServices({ dataDir: dataDir.path, durable: false })
  const forged = new URL(services.databaseUrl)
  forged.password = 'guessed'

  await expect(query(forged.href, 'select 1')).rejects.toThrow('password authentication failed')
  expect(await askRedis(services.redisUrl, 'ping')).toEqual([expect.stringContaining('NOAUTH')])
  expect(services.description.join()).not.toContain(new URL(services.databaseUrl).password)
})

it('uses given stores as they are and starts nothing', async () => {
  await using dataDir = givenDataDir()
  const databaseUrl = 'postgres://hub:secret@db.example:5432/fleet'
  const redisUrl = 'redis://:secret@cache.example:6379/0'

  await using services = await startLocalServices({ databaseUrl, redisUrl, dataDir: dataDir.path, durable: true })

  expect(services).toMatchObject({ databaseUrl, redisUrl })
  expect(services.description).toEqual([
    'Postgres at db.example:5432/fleet (given)',
    'Redis at cache.example:6379/0 (given)',
  ])
  expect(existsSync(dataDir.path)).toBe(false)
})

it('starts only the store that is not given', async () => {
  await using dataDir = givenDataDir()
  const databaseUrl = 'postgres://hub@db.example/fleet'

  await using services = await startLocalServices({ databaseUrl, dataDir: dataDir.path, durable: false })

  expect(services.databaseUrl).toBe(databaseUrl)
  expect(await askRedis(services.redisUrl, authOf(services.redisUrl), 'ping')).toEqual(['+OK', '+PONG'])
  expect(storesOf(dataDir.path)).toHaveLength(1)
})

it('says in one line that a data folder cannot be written', async () => {
  await using parent = givenDataDir()
  await mkdir(parent.path)
  await writeFile(join(parent.path, 'file'), '')
  const dataDir = join(parent.path, 'file', 'data')

  const start = startLocalServices({ dataDir, durable: true })

  await expect(start).rejects.toThrow(LocalServicesError)
  await expect(start).rejects.toThrow(
    /^data folder \S+\/file\/data cannot be written \(ENOTDIR.*\): choose another folder with MUSTER_DATA_DIR$/,
  )
})
