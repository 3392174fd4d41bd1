import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatConnectionString, generateKey } from '@muster/auth'
import { loadConfig } from '@muster/runtime'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makeConnectionString, makeToken } from './credentials.ts'
import { writeHubFile } from './hub-file.ts'

let dataDir = ''
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'muster-credentials-'))
})
afterAll(() => rm(dataDir, { recursive: true }))

const connectionString = formatConnectionString({
  hostName: 'hub.example.com',
  sharedAccessKeyName: 'iothubowner',
  sharedAccessKey: generateKey(),
})

it('without a database, host name and key are those of the hub that runs on this machine', async () => {
  const ports = { httpsPort: 443, httpPort: 8080, mqttsPort: 8883 }
  await writeHubFile(dataDir, { ...ports, pid: 1, hostname: 'hub.example.com', connectionString, caFile: 'ca.pem' })
  const config = loadConfig({ dataDir }, { MUSTER_HOSTNAME: 'elsewhere' })

  expect(await makeConnectionString(config, 'iothubowner')).toBe(connectionString)
  expect(decodeURIComponent(await makeToken(config, 'iothubowner', 60))).toContain('sr=hub.example.com&')
  await expect(makeToken(config, 'service', 60)).rejects.toThrow('only the key of iothubowner is known')
})

it('beside a hub that was killed, the error says that it does not run any more', async () => {
  const ports = { httpsPort: 443, httpPort: 8080, mqttsPort: 8883 }
  const databaseUrl = 'postgres://muster:secret@127.0.0.1:1/postgres'
  const left = { ...ports, pid: 1, hostname: 'hub.example.com', connectionString, caFile: 'ca.pem', databaseUrl }
  await writeHubFile(dataDir, left)

  await expect(makeToken(loadConfig({ dataDir }, {}), 'service', 60)).rejects.toThrow(
    /^the hub of .*hub\.json does not answer \(Postgres at 127\.0\.0\.1:1: .*ECONNREFUSED.*\): start it again$/,
  )
})
