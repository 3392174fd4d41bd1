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

it('J14 R16 R21 a job with stages ends with exact statistics though Redis forgets everything in each of them', async () => {
  const redis = new Redis(own.url)
  await using fleet = await givenFleet(hub, {
    count: 200,
    prefix: 'flush',
    tags: { site: 'flush' },
    behaviour: { latencyMs: [50, 400] },
  })
  await fleet.connect()
  const stages = [{ size: '10%', successThreshold: 100 }, { size: '40%' }, {}]

  await putJob(hub, 'flushed', {
    type: 'scheduleDeviceMethod',
    queryCondition: "tags.site = 'flush'",
    cloudToDeviceMethod: { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 10 },
    rollout: { stages },
  })
  await redis.flushall()
  for (const succeeded of [5, 30, 120]) {
    await reaching(hub, 'flushed', 'succeededCount', succeeded)
    await redis.flushall()
  }
  const ended = await ending(hub, 'flushed')
  redis.disconnect()

  expect(ended).toMatchObject({
    status: 'completed',
    deviceJobStatistics: { deviceCount: 200, succeededCount: 200, failedCount: 0, runningCount: 0, pendingCount: 0 },
  })
  const history: unknown = JSON.parse(await (await hub.request('GET', '/jobs/v2/flushed/history')).text())
  const told = Array.isArray(history) ? history.map(({ kind }) => kind) : []
  expect(told).toEqual(['created', 'started', 'stage', 'stage', 'ended'])
})
