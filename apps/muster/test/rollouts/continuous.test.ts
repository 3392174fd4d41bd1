import { afterAll, beforeAll, expect, it } from 'vitest'
import { startHub, type TestHub } from '../hub.ts'
import { ending, putJob, reaching } from '../jobs.ts'
import { givenFleet } from '../simulated.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub()
})
afterAll(() => hub[Symbol.asyncDispose]())

const reboot = { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 10 }

it('R110 R114 devices join a continuous job when their tags, their reports or their registration make them match', async () => {
  await using fleet = await givenFleet(hub, { count: 3, prefix: 'join', tags: { wanted: 'no' } })
  await fleet.connect()
  await putJob(hub, 'takes-in', {
    type: 'scheduleDeviceMethod',
    queryCondition: "tags.wanted = 'yes'",
    cloudToDeviceMethod: reboot,
    targetSelection: 'continuous',
  })
  await reaching(hub, 'takes-in', 'deviceCount', 0)

  await hub.request('PATCH', '/twins/join-0001', { tags: { wanted: 'yes' } })
  const one = await reaching(hub, 'takes-in', 'succeededCount', 1)
  await using newcomer = await givenFleet(hub, { count: 1, prefix: 'new', tags: { wanted: 'yes' } })
  await newcomer.connect()
  const two = await reaching(hub, 'takes-in', 'succeededCount', 2)
  await hub.request('POST', '/jobs/v2/takes-in/cancel')
  const ended = await ending(hub, 'takes-in')

  expect([one.status, two.status]).toEqual(['running', 'running'])
  expect(ended).toMatchObject({ status: 'cancelled', deviceJobStatistics: { deviceCount: 2, succeededCount: 2 } })
  expect([fleet.methodCallCount, newcomer.methodCallCount]).toEqual([1, 1])
})

it('R115 a device that has left before it was called is skipped', async () => {
  await using fleet = await givenFleet(hub, { count: 2, prefix: 'leave', tags: { on: true } })
  await putJob(hub, 'leavers', {
    type: 'scheduleDeviceMethod',
    queryCondition: 'tags.on = true',
    cloudToDeviceMethod: reboot,
    targetSelection: 'continuous',
  })
  await reaching(hub, 'leavers', 'pendingCount', 2)
  await hub.request('PATCH', '/twins/leave-0000', { tags: { on: false } })
  await fleet.connect()
  await reaching(hub, 'leavers', 'skippedCount', 1)
  const counted = await reaching(hub, 'leavers', 'succeededCount', 1)
  await hub.request('POST', '/jobs/v2/leavers/cancel')

  expect(counted.deviceJobStatistics).toMatchObject({ deviceCount: 2, skippedCount: 1 })
  expect(fleet.methodCallCount).toBe(1)
})

it('R111 a continuous job completes when it has as many devices as it may', async () => {
  await using fleet = await givenFleet(hub, { count: 3, prefix: 'most', tags: { batch: 1 } })
  await fleet.connect()
  await putJob(hub, 'two-only', {
    type: 'scheduleUpdateTwin',
    queryCondition: 'tags.batch = 2',
    updateTwin: { etag: '*', tags: { done: true } },
    targetSelection: 'continuous',
    maxDevices: 2,
  })
  for (const no of [0, 1, 2]) await hub.request('PATCH', `/twins/most-000${no}`, { tags: { batch: 2 } })

  expect(await ending(hub, 'two-only')).toMatchObject({
    status: 'completed',
    deviceJobStatistics: { deviceCount: 2, succeededCount: 2 },
  })
})
