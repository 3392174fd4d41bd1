import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseConnectionString } from '@muster/auth'
import { readVersion } from '@muster/runtime'
import { expect, it } from 'vitest'
import { ending, putJob } from '../jobs.ts'
import { givenFleet } from '../simulated.ts'
import { startQuickstart } from './quickstart.ts'

it('a quickstart leaves its log in the data folder, without a secret, and prints none of it', async () => {
  await using hub = await startQuickstart()
  const logFile = join(hub.dataDir, 'hub.log')
  await using fleet = await givenFleet(hub, { count: 1, prefix: 'logged', tags: { site: 'logged' } })
  await fleet.connect()
  await putJob(hub, 'logged', {
    type: 'scheduleUpdateTwin',
    queryCondition: "tags.site = 'logged'",
    updateTwin: { etag: '*', tags: { seen: true } },
  })
  await ending(hub, 'logged')
  await hub.stop()

  const log = readFileSync(logFile, 'utf8')
  const lines: { event: string; version: string; instance: string; roles: string[] }[] = log
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.map(({ event }) => event)).toEqual(
    expect.arrayContaining(['hubStarted', 'jobCreated', 'jobEnded', 'hubStopping']),
  )
  const roles = ['gateway', 'worker', 'dispatcher', 'api']
  for (const line of lines)
    expect(line).toMatchObject({
      version: readVersion(),
      instance: expect.stringMatching(/:\d+$/),
      roles,
    })
  expect(lines.find(({ event }) => event === 'jobCreated')).toMatchObject({
    jobId: 'logged',
    account: 'policy:iothubowner',
    clientAddress: '127.0.0.1',
    trackingId: expect.stringMatching(/./),
  })
  expect(hub.output()).toMatch(`Log                ${logFile}\n`)
  expect(hub.output()).not.toContain('"event"')
  const { sharedAccessKey = 'none' } = parseConnectionString(hub.connectionString)
  const password = readFileSync(join(hub.dataDir, 'postgres', 'muster.password'), 'utf8')
  expect(log).not.toContain(sharedAccessKey)
  expect(log).not.toContain(password)
})
