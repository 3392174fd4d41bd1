import { startOwnRedis } from '@muster/testkit'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startHub, type TestHub } from '../hub.ts'
import { ending, putJob, reaching } from '../jobs.ts'
import { givenFleet } from '../simulated.ts'

// Of its own: the Redis of the other tests must not lose its keys.
let own: Awaited<ReturnType<typeof startOwnRedis>>
let hub: TestHub

beforeAll(async () => {
  own = await startOwnRedis()
  hub = await startHub({ settings: { REDIS_URL: own.url } })
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
  await own[Symbol.asyncDispose]()
})

it('J14 a method job of 500 devices ends with exact statistics though Redis forgets everything, again and again', async () => {
  const redis = new Redis(own.url)
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
