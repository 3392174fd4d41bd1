import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { startHub, type TestHub } from '../hub.ts'
import { ending, putJob, reaching } from '../jobs.ts'
import { givenFleet } from '../simulated.ts'

let hub: TestHub

beforeAll(async () => {
  hub = await startHub()
})
afterAll(() => hub[Symbol.asyncDispose]())

it('J14 a method job of 500 devices ends with exact statistics though Redis forgets everything, again and again', async () => {
  const redis = new Redis(inject('redisUrl'))
  await using fleet = await givenFleet(hub, {
    count: 500,
    prefix: 'flush',
    tags: { site: 'flush' },
    behaviour: { latencyMs: [50, 800] },
  })
  await fleet.connect()

  await putJob(hub, 'flushed', {
    type: 'scheduleDeviceMethod',
    queryCondition: "tags.site = 'flush'",
    cloudToDeviceMethod: { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 10 },
  })
  await redis.flushall()
  await reaching(hub, 'flushed', 'succeededCount', 50)
  await redis.flushall()
  const ended = await ending(hub, 'flushed')
  redis.disconnect()

  expect(ended).toMatchObject({
    status: 'completed',
    deviceJobStatistics: { deviceCount: 500, succeededCount: 500, failedCount: 0, runningCount: 0, pendingCount: 0 },
  })
  expect(fleet.methodCallCount).toBeGreaterThanOrEqual(500)
})
