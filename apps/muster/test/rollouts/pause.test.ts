import { eventually } from '@muster/testkit'
import { expect, it, onTestFinished } from 'vitest'
import { startHub, type TestHub } from '../hub.ts'
import { ending, type JobJson, putJob, reaching } from '../jobs.ts'
import { givenFleet } from '../simulated.ts'

const rollout = { maximumPerMinute: 600 }
const methodJob = {
  type: 'scheduleDeviceMethod',
  queryCondition: '*',
  cloudToDeviceMethod: { methodName: 'reboot', payload: null },
  rollout,
}
const twinJob = {
  type: 'scheduleUpdateTwin',
  queryCondition: '*',
  updateTwin: { etag: '*', tags: { seen: true } },
  rollout,
}

it('R38 R43 no device is claimed after the answer to a pause, and the resumed job ends exactly', async () => {
  const hub = await start()
  await using fleet = await givenFleet(hub, {
    count: 30,
    prefix: 'paused',
    tags: {},
    behaviour: { latencyMs: [0, 40] },
  })
  await fleet.connect()
  await putJob(hub, 'paused', methodJob)
  await reaching(hub, 'paused', 'succeededCount', 5)

  const paused = await hub.request('POST', '/jobs/v2/paused/pause', { reason: 'to look at it' })
  const claimed = claimedCount(await reaching(hub, 'paused', 'deviceCount', 30))
  // It takes longer than the paused job would have needed, at the same rate.
  await putJob(hub, 'other', twinJob)
  await ending(hub, 'other')
  const later = await standing(hub, 'paused')
  const calls = fleet.methodCallCount
  const resumed = await hub.request('POST', '/jobs/v2/paused/resume')

  expect([paused.status, resumed.status]).toEqual([200, 200])
  expect(claimed).toBeLessThan(30)
  expect([claimedCount(later), calls]).toEqual([claimed, claimed])
  expect(await ending(hub, 'paused')).toMatchObject({
    status: 'completed',
    deviceJobStatistics: { deviceCount: 30, succeededCount: 30 },
  })
  expect(fleet.methodCallCount).toBe(30)
})

it('R38 R43 a job that was paused before its start goes on to its end when it is resumed after it', async () => {
  const hub = await start()
  await using fleet = await givenFleet(hub, { count: 3, prefix: 'early', tags: {} })
  await fleet.connect()
  await putJob(hub, 'early', { ...methodJob, startTime: new Date(Date.now() + 2_000).toISOString() })
  await hub.request('POST', '/jobs/v2/early/pause')
  await putJob(hub, 'other', { ...twinJob, startTime: new Date(Date.now() + 2_500).toISOString() })
  await ending(hub, 'other')

  const held = JSON.parse(await (await hub.request('GET', '/jobs/v2/early')).text())
  await hub.request('POST', '/jobs/v2/early/resume')

  expect(['queued', 'scheduled']).toContain(held.status)
  expect(await ending(hub, 'early')).toMatchObject({ status: 'completed', deviceJobStatistics: { succeededCount: 3 } })
})

it('R42 a pause that nobody ends cancels the job', async () => {
  const hub = await start()
  await putJob(hub, 'forgotten', {
    ...twinJob,
    startTime: new Date(Date.now() + 3_600_000).toISOString(),
    pauseTimeoutSeconds: 1,
  })
  await hub.request('POST', '/jobs/v2/forgotten/pause')

  expect(await ending(hub, 'forgotten')).toMatchObject({
    status: 'cancelled',
    failureReason: 'the job was paused for 1 s, and nobody resumed it',
  })
})

function claimedCount({ deviceJobStatistics: counts }: JobJson): number {
  return (counts?.deviceCount ?? 0) - (counts?.pendingCount ?? 0)
}

/** The job when none of its devices is in flight. */
function standing(hub: TestHub, jobId: string): Promise<JobJson> {
  return eventually(async () => {
    const job = await reaching(hub, jobId, 'deviceCount', 1)
    expect(job.deviceJobStatistics?.runningCount).toBe(0)
    return job
  })
}

async function start(): Promise<TestHub> {
  const hub = await startHub()
  onTestFinished(() => hub[Symbol.asyncDispose]())
  return hub
}
