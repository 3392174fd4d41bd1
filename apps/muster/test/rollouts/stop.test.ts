import { expect, it, onTestFinished } from 'vitest'
import { startHub } from '../hub.ts'
import { ending, putJob, reaching } from '../jobs.ts'
import { givenFleet } from '../simulated.ts'

const jobIds = Array.from({ length: 20 }, (_, index) => `stopped-${index}`)
const devices = 5

it('R44 R45 R46 a stop of twenty jobs counts the calls after it, which are within the bound, and its resumption ends them exactly', async () => {
  const hub = await startHub({ settings: { MUSTER_MAX_RUNNING_JOBS: '30' } })
  onTestFinished(() => hub[Symbol.asyncDispose]())
  const { db } = hub.running.hub
  await using fleet = await givenFleet(hub, {
    count: devices,
    prefix: 'stopped',
    tags: {},
    behaviour: { latencyMs: [0, 300] },
  })
  await fleet.connect()
  for (const jobId of jobIds) {
    await putJob(hub, jobId, {
      type: 'scheduleDeviceMethod',
      queryCondition: '*',
      cloudToDeviceMethod: { methodName: 'reboot', payload: null },
      rollout: { maximumPerMinute: 30 },
    })
  }
  await Promise.all(jobIds.map((jobId) => reaching(hub, jobId, 'succeededCount', 1)))

  const answer = await hub.request('POST', '/jobs/v2/stop', { reason: 'devices reboot in a loop' })
  const stop = JSON.parse(await answer.text())
  const { rows } = await db.execute<{ count: number; latest: number | null }>(`
    select count(*)::int as count, max(extract(epoch from delivered_at - at))::float8 as latest
      from device_jobs, stops where delivered_at > at`)
  const before = fleet.methodCallCount
  const counts = await Promise.all(jobIds.map((jobId) => reaching(hub, jobId, 'deviceCount', devices)))
  const resumed = await hub.request('POST', `/jobs/v2/stops/${stop.stopId}/resume`)

  expect(answer.status).toBe(200)
  expect(stop).toMatchObject({
    pausedCount: jobIds.length,
    handedOverCount: rows[0]?.count ?? -1,
    undecidedCount: 0,
    reason: 'devices reboot in a loop',
  })
  expect(rows[0]?.latest ?? 0).toBeLessThanOrEqual(3)
  const called = counts.map(({ deviceJobStatistics }) => deviceJobStatistics?.succeededCount ?? 0)
  expect(called.reduce((sum, count) => sum + count, 0)).toBe(before)
  expect(before).toBeLessThan(jobIds.length * devices)
  expect(JSON.parse(await resumed.text())).toMatchObject({ resumedCount: jobIds.length })
  for (const jobId of jobIds) {
    expect(await ending(hub, jobId)).toMatchObject({
      status: 'completed',
      deviceJobStatistics: { deviceCount: devices, succeededCount: devices },
    })
  }
  expect(fleet.methodCallCount).toBe(jobIds.length * devices)
})
