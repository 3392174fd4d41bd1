import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startHub, type TestHub } from '../hub.ts'
import { ending, putJob, reaching } from '../jobs.ts'
import { givenFleet, registered } from '../simulated.ts'
import { steppedClock } from './stepped-clock.ts'

/** From 02:00 to 05:00 on the clock of the device. */
const night = [{ cron: '0 2 * * *', durationMinutes: 180, timeZone: 'tags.timeZone' }]
/** By when their windows open in UTC. */
const zones = ['Asia/Tokyo', 'Europe/Berlin', 'America/New_York'] as const

const clock = steppedClock('2026-03-02T16:00:00Z')
let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ clock })
})
afterAll(() => hub[Symbol.asyncDispose]())

async function zonesDone(field: string): Promise<readonly string[]> {
  const condition = `is_defined(tags.${field})`
  const response = await hub.request('POST', '/devices/query', { query: `SELECT * FROM devices WHERE ${condition}` })
  const twins: { tags: { timeZone: string } }[] = JSON.parse(await response.text())
  return [...new Set(twins.map(({ tags }) => tags.timeZone))]
}

it('R89 the nights of three zones have their turns, one after the other', async () => {
  for (const [index, timeZone] of zones.entries()) {
    await registered(hub, { count: 4, prefix: `zone-${index}`, tags: { timeZone } })
  }
  await putJob(hub, 'nightly', {
    type: 'scheduleUpdateTwin',
    queryCondition: 'is_defined(tags.timeZone)',
    maxExecutionTimeInSeconds: 86_400,
    updateTwin: { etag: '*', tags: { nightly: true } },
    windows: night,
  })
  await eventually(async () => {
    const job = await (await hub.request('GET', '/jobs/v2/nightly')).json()
    expect(job).toMatchObject({ status: 'running', deviceJobStatistics: { pendingCount: 12 } })
  })

  for (const [index, time] of ['2026-03-02T17:00:00Z', '2026-03-03T01:00:00Z', '2026-03-03T07:00:00Z'].entries()) {
    clock.stepTo(time)
    const job = await reaching(hub, 'nightly', 'succeededCount', 4 * (index + 1))
    expect(job.deviceJobStatistics?.succeededCount).toBe(4 * (index + 1))
    expect(await zonesDone('nightly')).toEqual(expect.arrayContaining(zones.slice(0, index + 1)))
    expect(await zonesDone('nightly')).toHaveLength(index + 1)
  }

  expect(await ending(hub, 'nightly')).toMatchObject({ status: 'completed' })
})

it('R89 calls of devices wait for the night, and none comes before', async () => {
  await using fleet = await givenFleet(hub, { count: 5, prefix: 'caller', tags: { timeZone: 'Europe/Berlin' } })
  await fleet.connect()
  await putJob(hub, 'calls', {
    type: 'scheduleDeviceMethod',
    queryCondition: "STARTSWITH(deviceId, 'caller')",
    maxExecutionTimeInSeconds: 86_400,
    cloudToDeviceMethod: { methodName: 'reboot', responseTimeoutInSeconds: 30 },
    windows: night,
  })
  await reaching(hub, 'calls', 'pendingCount', 5)
  expect(fleet.methodCallCount).toBe(0)

  clock.stepTo('2026-03-04T01:00:00Z')

  expect(await ending(hub, 'calls')).toMatchObject({ status: 'completed', deviceJobStatistics: { succeededCount: 5 } })
  expect(fleet.methodCallCount).toBe(5)
})
