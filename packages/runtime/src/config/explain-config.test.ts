import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { explainConfig } from './config.ts'
import { secretNames, settings } from './settings.ts'

const folder = mkdtempSync(join(tmpdir(), 'muster-settings-'))
afterAll(() => rmSync(folder, { recursive: true }))

const defaults = { dataDir: '/data' }

it('tells of every setting its value and where it comes from', () => {
  const file = join(folder, 'redis-url')
  writeFileSync(file, 'redis://redis\n')

  const explained = explainConfig(defaults, { MUSTER_HTTP_PORT: '8081', REDIS_URL_FILE: file, MUSTER_LOG_LEVEL: '' })

  expect(Object.keys(explained)).toEqual(settings.map(({ name }) => name))
  expect(explained).toMatchObject({
    DATABASE_URL: { value: null, origin: 'default' },
    REDIS_URL: { value: 'redis://redis', origin: 'file' },
    MUSTER_HTTP_PORT: { value: 8081, origin: 'environment' },
    MUSTER_LOG_LEVEL: { value: 'info', origin: 'default' },
    MUSTER_DATA_DIR: { value: '/data', origin: 'default' },
    MUSTER_BIND: { value: '::', origin: 'default' },
  })
})

/** A value for each setting that may not be printed, all with the same secret in it. */
const hidden: Readonly<Record<string, string>> = {
  DATABASE_URL: 'postgres://muster:aHVudGVyMg==@db/muster?password=aHVudGVyMg==',
  REDIS_URL: 'redis://:aHVudGVyMg==@redis',
  MUSTER_POLICIES: '[{"name":"ops","permissions":["ServiceConnect"],"primaryKey":"aHVudGVyMg=="}]',
  MUSTER_OPERATOR_TOKEN: 'aHVudGVyMg==-aHVudGVyMg==',
  OTEL_EXPORTER_OTLP_HEADERS: 'authorization=aHVudGVyMg==',
}

it('prints no password and no key', () => {
  const printed = JSON.stringify(explainConfig(defaults, hidden))

  expect(Object.keys(hidden)).toEqual(secretNames)
  expect(printed).toContain('postgres://muster:***@db/muster')
  expect(printed).not.toContain('aHVudGVyMg')
})
