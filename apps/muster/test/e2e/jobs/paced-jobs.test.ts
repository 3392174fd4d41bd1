import { eventually } from '@muster/testkit'
import { expect, it, onTestFinished } from 'vitest'
import { startHub, type TestHub } from '../../hub.ts'
import { ending, putJob, reaching } from '../../jobs.ts'
import { givenFleet } from '../../simulated.ts'

const twinJob = { type: 'scheduleUpdateTwin', queryCondition: '*', updateTwin: { etag: '*', tags: { seen: true } } }
const methodJob = {
  type: 'scheduleDeviceMethod',
  queryCondition: '*',
  cloudToDeviceMethod: { methodName: 'reboot', payload: null },
}

async function startPaced(rate: string): Promise<TestHub> {
  const hub = await startHub({ settings: { MUSTER_THROTTLE: `{"jobDeviceOperations":"${rate}"}` } })
  onTestFinished(() => hub[Symbol.asyncDispose]())
  return hub
}

it.each([
  ['twin', twinJob],
  ['method', methodJob],
])('H15 a %s job does what its rate allows; the rest is pending and can be cancelled', async (_, job) => {
  const hub = await startPaced('5/min')
  await using fleet = await givenFleet(hub, { count: 12, prefix: 'paced', tags: {} })
  await fleet.connect()

  await putJob(hub, 'slow', job)
  const running = await reaching(hub, 'slow', 'succeededCount', 5)
  const cancelled = await hub.request('POST', '/jobs/v2/slow/cancel')

  expect(running).toMatchObject({ status: 'running', deviceJobStatistics: { succeededCount: 5, pendingCount: 7 } })
  expect(cancelled.status).toBe(200)
  expect(await ending(hub, 'slow')).toMatchObject({
    status: 'cancelled',
    deviceJobStatistics: { deviceCount: 12, succeededCount: 5, failedCount: 0, pendingCount: 0 },
  })
})

it('H15 jobs over the rate end well, and share it', async () => {
  const hub = await startPaced('10/s')
  await using fleet = await givenFleet(hub, { count: 15, prefix: 'paced', tags: {} })
  await fleet.connect()
  const throttled: string[] = []
  hub.running.hub.events.on('throttled', ({ throttle }) => throttled.push(throttle))

  await Promise.all([putJob(hub, 'twins', twinJob), putJob(hub, 'methods', methodJob)])

  for (const jobId of ['twins', 'methods']) {
    expect(await ending(hub, jobId)).toMatchObject({
      status: 'completed',
      deviceJobStatistics: { deviceCount: 15, succeededCount: 15 },
    })
  }
  await eventually(() => expect(throttled).toContain('jobDeviceOperations'))
})

it.each([
  ['500/s', 'twin', 'method', twinJob, methodJob],
  ['500/s', 'method', 'twin', methodJob, twinJob],
  ['1000/min', 'twin', 'method', twinJob, methodJob],
])('H15 at %s a %s job of many devices lets %s jobs of few come between', async (rate, _, __, large, small) => {
  const hub = await startPaced(rate)
  // Nobody connects them: a method job attempts each once, and waits.
  await using _many = await givenFleet(hub, { count: 3_000, prefix: 'many', tags: { of: 'many' } })
  await using few = await givenFleet(hub, { count: 10, prefix: 'few', tags: { of: 'few' } })
  await few.connect()
  let attempted = 0
  hub.running.hub.events.on('chunkRecorded', ({ type, succeeded, waiting }) => {
    if (type === large.type) attempted += succeeded + waiting
  })

  await putJob(hub, 'large', { ...large, queryCondition: "tags.of = 'many'" })
  await eventually(() => expect(attempted).toBeGreaterThanOrEqual(Number.parseInt(rate, 10)), { timeoutMs: 30_000 })
  const smallJobs = ['small-1', 'small-2', 'small-3', 'small-4']
  await Promise.all(smallJobs.map((jobId) => putJob(hub, jobId, { ...small, queryCondition: "tags.of = 'few'" })))
  const ended = await Promise.all(smallJobs.map((jobId) => ending(hub, jobId)))

  for (const job of ended) {
    expect(job).toMatchObject({ status: 'completed', deviceJobStatistics: { deviceCount: 10, succeededCount: 10 } })
  }
  expect(attempted).toBeLessThan(3_000)
  await hub.request('POST', '/jobs/v2/large/cancel')
  expect(await ending(hub, 'large')).toMatchObject({ status: 'cancelled', deviceJobStatistics: { deviceCount: 3_000 } })
})
