import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { loadConfig, redactConfig } from './config.ts'
import { StartError } from './start-error.ts'

const folder = mkdtempSync(join(tmpdir(), 'muster-config-'))
afterAll(() => rmSync(folder, { recursive: true }))

const defaults = { dataDir: '/data' }

it('needs nothing: an empty environment gives the documented ports, and no stores', () => {
  const config = loadConfig(defaults, {})

  expect(config).toMatchObject({
    databaseUrl: null,
    redisUrl: null,
    hostNames: ['localhost'],
    httpsPort: 443,
    httpPort: 8080,
    httpHost: '127.0.0.1',
    mqttsPort: 8883,
    dataDir: '/data',
    logLevel: 'info',
    tls: null,
  })
})

it('takes several host names', () => {
  expect(loadConfig(defaults, { MUSTER_HOSTNAME: 'hub.example.com, hub' }).hostNames).toEqual([
    'hub.example.com',
    'hub',
  ])
})

it('counts an empty value as absent', () => {
  expect(loadConfig(defaults, { MUSTER_HTTP_PORT: '', MUSTER_DATA_DIR: '' })).toMatchObject({
    httpPort: 8080,
    dataDir: '/data',
  })
})

it('takes a secret from a file', () => {
  const file = join(folder, 'database-url')
  writeFileSync(file, 'postgres://muster:secret@db/muster\n')

  expect(loadConfig(defaults, { DATABASE_URL_FILE: file }).databaseUrl).toBe('postgres://muster:secret@db/muster')
})

it.each([
  [{ MUSTER_HTTP_PORT: 'http' }, 'MUSTER_HTTP_PORT: expected a whole number from 0 to 65535, got "http"'],
  [{ MUSTER_HTTP_PORT: '70000' }, 'MUSTER_HTTP_PORT: expected a whole number from 0 to 65535, got "70000"'],
  [{ MUSTER_MAX_RUNNING_JOBS: '1.5' }, 'MUSTER_MAX_RUNNING_JOBS: expected a whole number from 1 to 100000, got "1.5"'],
  [{ MUSTER_HOSTNAME: 'a b' }, 'MUSTER_HOSTNAME.0: expected host names, comma-separated, got "a b"'],
  [{ MUSTER_TLS_CERT: 'cert.pem' }, 'MUSTER_TLS_KEY: expected too, since its counterpart is set'],
  [{ DATABASE_URL_FILE: '/none/such' }, "DATABASE_URL_FILE: ENOENT: no such file or directory, open '/none/such'"],
  [{ REDIS_URL: 'redis://a', REDIS_URL_FILE: 'b' }, 'REDIS_URL and REDIS_URL_FILE are both set; expected one of them'],
])('refuses %j and says what was expected', (env, message) => {
  expect(() => loadConfig(defaults, env)).toThrow(new StartError(message))
})

it('never repeats a secret in a complaint', () => {
  expect(() => loadConfig(defaults, { DATABASE_URL: 'mysql://root:hunter2@db' })).toThrow(
    new StartError('DATABASE_URL: expected a URL such as postgres://user:password@host:5432/muster'),
  )
})

it('names every wrong variable at once', () => {
  expect(() => loadConfig(defaults, { MUSTER_HTTP_PORT: 'x', MUSTER_MQTTS_PORT: 'y' })).toThrow(
    /MUSTER_HTTP_PORT.*; MUSTER_MQTTS_PORT/,
  )
})

it('takes policies as JSON', () => {
  const policies = [{ name: 'ops', permissions: ['ServiceConnect'], primaryKey: 'c2VjcmV0' }]

  expect(loadConfig(defaults, { MUSTER_POLICIES: JSON.stringify(policies) }).policies).toEqual(policies)
  expect(() => loadConfig(defaults, { MUSTER_POLICIES: 'ops' })).toThrow(/MUSTER_POLICIES: expected JSON/)
})

it('prints no password and no key', () => {
  const config = loadConfig(defaults, {
    DATABASE_URL: 'postgres://muster:hunter2@db/muster',
    REDIS_URL: 'redis://:hunter2@redis',
    MUSTER_POLICIES: '[{"name":"ops","permissions":["ServiceConnect"],"primaryKey":"aHVudGVyMg=="}]',
  })

  const printed = JSON.stringify(redactConfig(config))

  expect(printed).toContain('postgres://muster:***@db/muster')
  expect(printed).not.toContain('hunter2')
  expect(printed).not.toContain('aHVudGVyMg==')
})
