import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, migrate } from '@muster/store'
import { createDatabase, uniquePrefix } from '@muster/testkit'
import { afterAll, beforeAll, expect, inject, it, onTestFinished } from 'vitest'
import { type Config, loadConfig } from '../src/config/config.ts'
import type { RoleName } from '../src/config/role-names.ts'
import { StartError } from '../src/config/start-error.ts'
import { listen } from '../src/front/listen.ts'
import { runRoles } from '../src/hub/hub.ts'
import type { Role, RunningRole } from '../src/hub/role.ts'

let dataDir = ''
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'muster-roles-'))
})
afterAll(() => rm(dataDir, { recursive: true }))

/** A database of its own, and free ports. */
async function givenConfig({ isMigrated = true } = {}): Promise<Config & { databaseUrl: string }> {
  const database = await createDatabase(inject('databaseUrl'))
  onTestFinished(async () => database[Symbol.asyncDispose]())
  if (isMigrated) await migrate(database.url)
  const env = {
    REDIS_URL: inject('redisUrl'),
    MUSTER_REDIS_PREFIX: uniquePrefix(),
    MUSTER_HTTPS_PORT: '0',
    MUSTER_HTTP_PORT: '0',
    MUSTER_LOG_LEVEL: 'silent',
    MUSTER_SHUTDOWN_SECONDS: '1',
  }
  return { ...loadConfig({ dataDir }, env), databaseUrl: database.url }
}

function role(name: RoleName, run: RunningRole): Role {
  return { name, start: async () => run }
}

it('is ready when the stores and every role are', async () => {
  const worker = role('worker', { stop: async () => {}, check: async () => {} })
  const running = await runRoles([worker], await givenConfig())
  onTestFinished(() => running.stop('test'))

  const response = await fetch(`http://127.0.0.1:${running.ports.http}/health/ready`)

  expect(await response.json()).toEqual({
    status: 'ready',
    checks: { postgres: 'passed', redis: 'passed', clock: 'passed', worker: 'passed' },
  })
})

it('C3 is not ready while the time is not trusted', async () => {
  const clock = { now: () => new Date(), isTrusted: () => false }
  const running = await runRoles([role('api', { stop: async () => {} })], await givenConfig(), { clock })
  onTestFinished(() => running.stop('test'))

  const response = await fetch(`http://127.0.0.1:${running.ports.http}/health/ready`)

  expect(response.status).toBe(503)
  expect(await response.json()).toMatchObject({ checks: { postgres: 'passed', clock: 'failed', api: 'passed' } })
})

it('C1 shows the time of Postgres, and in its metrics how far the clock of the machine is from it', async () => {
  const running = await runRoles([role('worker', { stop: async () => {} })], await givenConfig())
  onTestFinished(() => running.stop('test'))
  const { db, clock } = running.hub

  const before = clock.now().getTime()
  const { rows } = await db.execute<{ ms: string }>('select extract(epoch from clock_timestamp()) * 1000 as ms')
  const after = clock.now().getTime()
  const metrics = await (await fetch(`http://127.0.0.1:${running.ports.http}/metrics`)).text()

  const errorMs = 1000 * Number(/^muster_clock_error_seconds (\S+)$/m.exec(metrics)?.[1])
  expect(errorMs).toBeLessThanOrEqual(500)
  expect(Number(rows[0]?.ms)).toBeGreaterThanOrEqual(before - errorMs)
  expect(Number(rows[0]?.ms)).toBeLessThanOrEqual(after + errorMs + 1)
  expect(metrics).toMatch(/^muster_clock_offset_seconds -?\d/m)
})

it('is not ready when a role cannot do its work', async () => {
  const worker = role('worker', { stop: async () => {}, check: () => Promise.reject(new Error('stalled')) })
  const running = await runRoles([worker], await givenConfig())
  onTestFinished(() => running.stop('test'))

  const response = await fetch(`http://127.0.0.1:${running.ports.http}/health/ready`)

  expect(response.status).toBe(503)
})

it.each([
  ['api', 200],
  ['gateway', 200],
  ['worker', 503],
  ['dispatcher', 503],
] as const)('shows in a process of the %s that Redis is away, and answers %i', async (name, status) => {
  const running = await runRoles([role(name, { stop: async () => {} })], await givenConfig())
  onTestFinished(() => running.stop('test'))
  await running.hub.bus[Symbol.asyncDispose]()

  const response = await fetch(`http://127.0.0.1:${running.ports.http}/health/ready`)

  expect(response.status).toBe(status)
  expect(await response.json()).toMatchObject({ checks: { postgres: 'passed', redis: 'failed', [name]: 'passed' } })
})

it('has certificates and an HTTPS port only where a role needs them', async () => {
  const [dispatcher, api] = [role('dispatcher', { stop: async () => {} }), role('api', { stop: async () => {} })]

  const inner = await runRoles([dispatcher], await givenConfig())
  const outer = await runRoles([api], await givenConfig())
  await Promise.all([inner.stop('test'), outer.stop('test')])

  expect(inner).toMatchObject({ ports: { https: null }, caFile: null })
  expect(outer).toMatchObject({ ports: { https: expect.any(Number) }, caFile: join(dataDir, 'tls', 'ca.pem') })
})

it.each([
  ['worker', false],
  ['dispatcher', false],
  ['api', true],
  ['gateway', true],
] as const)('the metrics of a process of the %s tell when its certificate ends: %s', async (name, isThere) => {
  const running = await runRoles([role(name, { stop: async () => {} })], await givenConfig())
  onTestFinished(() => running.stop('test'))

  const response = await fetch(`http://127.0.0.1:${running.ports.http}/metrics`)

  const lines = (await response.text()).split('\n')
  expect(lines).toContain('muster_hub_started_total 1')
  expect(lines.some((line) => line.startsWith('muster_certificate_expiry_timestamp_seconds '))).toBe(isThere)
})

it('stops those who call devices before the gateway that holds the connections', async () => {
  const stopped: RoleName[] = []
  const noted = (name: RoleName) => role(name, { stop: async () => void stopped.push(name) })
  const running = await runRoles([noted('gateway'), noted('worker'), noted('dispatcher')], await givenConfig())

  await running.stop('test')

  expect(stopped).toEqual(['worker', 'dispatcher', 'gateway'])
})

it('gives up a role that does not stop, and stops once however often it is asked', async () => {
  const deadlines: AbortSignal[] = []
  const hanging = role('worker', {
    stop: (deadline) => {
      deadlines.push(deadline)
      return new Promise(() => {})
    },
  })
  const running = await runRoles([hanging], await givenConfig())

  await Promise.all([running.stop('test'), running.stop('again')])

  expect(deadlines).toHaveLength(1)
  expect(deadlines[0]?.aborted).toBe(true)
})

it('stops what has started when a later role cannot start', async () => {
  const stopped: RoleName[] = []
  const first = role('worker', { stop: async () => void stopped.push('worker') })
  const second: Role = { name: 'dispatcher', start: () => Promise.reject(new StartError('cannot')) }

  await expect(runRoles([first, second], await givenConfig())).rejects.toThrow('cannot')

  expect(stopped).toEqual(['worker'])
})

it('stops what has started when a port is in use', async () => {
  const blocker = createServer()
  onTestFinished(() => void blocker.close())
  const httpPort = await listen(blocker, {
    name: 'MUSTER_HTTP_PORT',
    port: 0,
    host: { name: 'MUSTER_HTTP_HOST', address: '127.0.0.1' },
  })
  const stopped: RoleName[] = []
  const worker = role('worker', { stop: async () => void stopped.push('worker') })

  await expect(runRoles([worker], { ...(await givenConfig()), httpPort })).rejects.toThrow(/is already in use/)

  expect(stopped).toEqual(['worker'])
})

it('refuses to start before the database has been migrated', async () => {
  const config = await givenConfig({ isMigrated: false })

  await expect(runRoles([], config)).rejects.toThrow(/run "muster migrate"$/)
})

it('refuses a database of a newer version', async () => {
  const config = await givenConfig()
  const { db, close } = connect({ url: config.databaseUrl, poolSize: 1 })
  await db.execute("insert into drizzle.__drizzle_migrations (hash, created_at) values ('of a later version', 0)")
  await close()

  await expect(runRoles([], config)).rejects.toThrow(/^Postgres at .*: the database holds \d+ migrations/)
})

it('says in one line that a store cannot be reached', async () => {
  const config = await givenConfig()

  await expect(runRoles([], { ...config, redisUrl: 'redis://127.0.0.1:1' })).rejects.toThrow(
    new StartError('Redis at 127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1'),
  )
  await expect(runRoles([], { ...config, databaseUrl: 'postgres://127.0.0.1:1/muster' })).rejects.toThrow(
    new StartError('Postgres at 127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1'),
  )
  await expect(runRoles([], { ...config, databaseUrl: null })).rejects.toThrow(/^DATABASE_URL is not set/)
})
