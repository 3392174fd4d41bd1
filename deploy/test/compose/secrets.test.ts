import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { root } from './compose-file.ts'

const run = promisify(execFile)
const names = [
  'postgres/password',
  'redis/password',
  'redis/redis.conf',
  'hub/database-url',
  'hub/redis-url',
  'hub/operator-token',
  'grafana/password',
]

describe('the passwords of a hub', () => {
  let folder: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'muster-secrets-'))
    for (const reader of ['postgres', 'redis', 'hub', 'grafana']) await mkdir(join(folder, reader))
  })
  afterEach(() => rm(folder, { recursive: true }))

  const make = () => run(process.execPath, [join(root, 'deploy', 'compose', 'make-secrets.mjs'), folder])
  const read = async () =>
    Object.fromEntries(await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')])))

  it('are random, and the same in the store and in the address that the hub is given', async () => {
    await make()

    const files = await read()
    const [postgres, redis, grafana] = ['postgres', 'redis', 'grafana'].map((reader) => files[`${reader}/password`])
    expect(new Set([postgres, redis, grafana]).size).toBe(3)
    expect(new URL(files['hub/database-url']).password).toBe(postgres)
    expect(new URL(files['hub/redis-url']).password).toBe(redis)
    expect(files['redis/redis.conf']).toBe(`requirepass ${redis}`)
  })

  it('stay when there are some, and those that a start cut short has left out are made', async () => {
    await make()
    const before = await read()
    await rm(join(folder, 'hub', 'database-url'))

    const { stdout } = await make()

    expect(stdout).toBe('made hub/database-url\n')
    expect(await read()).toEqual(before)
  })

  it('are never printed', async () => {
    const { stdout, stderr } = await make()

    expect(stdout.split('\n').filter((line) => line !== '')).toEqual(names.map((name) => `made ${name}`))
    expect(stderr).toBe('')
  })
})
