import { startOwnRedis } from '@muster/testkit'
import { Redis } from 'ioredis'
import { expect, it, onTestFinished } from 'vitest'
import { roles } from '../../src/roles.ts'
import { startHub } from '../hub.ts'
import { ending, putJob, reaching } from '../jobs.ts'
import { startProcess } from '../role-process.ts'
import { givenFleet } from '../simulated.ts'
import { deliveryTimes, ramp, readRow, tooEarly } from './recorded.ts'

const count = 60
const methodJob = {
  type: 'scheduleDeviceMethod',
  queryCondition: '*',
  cloudToDeviceMethod: { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 10 },
  rollout: ramp,
}
const allSucceeded = { status: 'completed', deviceJobStatistics: { deviceCount: count, succeededCount: count } }

it('R30 R32 J14 a ramp keeps to its curve though Redis forgets everything, again and again', async () => {
  // Of its own: the Redis of the other tests must not lose its keys.
  const own = await startOwnRedis()
  const hub = await startHub({ settings: { REDIS_URL: own.url } })
  const redis = new Redis(own.url)
  onTestFinished(async () => {
    redis.disconnect()
    await hub[Symbol.asyncDispose]()
    await own[Symbol.asyncDispose]()
  })
  await using fleet = await givenFleet(hub, { count, prefix: 'flushed', tags: {}, behaviour: { latencyMs: [10, 100] } })
  await fleet.connect()

  await putJob(hub, 'flushed', methodJob)
  for (const succeeded of [3, 12, 25, 40]) {
    await reaching(hub, 'flushed', 'succeededCount', succeeded)
    await redis.flushall()
  }
  const ended = await ending(hub, 'flushed')

  expect(ended).toMatchObject(allSucceeded)
  const { db } = hub.running.hub
  expect(tooEarly(await deliveryTimes(db, 'flushed'))).toBe(0)
  expect(await readRow(db, 'flushed')).toMatchObject({ rate: 1_200, notified: count })
  expect(fleet.methodCallCount).toBe(count)
}, 90_000)

it('R30 R32 a ramp keeps to its curve though a worker is frozen in its course', async () => {
  const hub = await startHub({ roles: roles.filter(({ name }) => name !== 'worker') })
  onTestFinished(() => hub[Symbol.asyncDispose]())
  await using first = await startProcess(hub, ['worker'])
  await using _ = await startProcess(hub, ['worker'])
  await using fleet = await givenFleet(hub, { count, prefix: 'frozen', tags: {}, behaviour: { latencyMs: [10, 100] } })
  await fleet.connect()

  await putJob(hub, 'frozen', methodJob)
  await reaching(hub, 'frozen', 'succeededCount', 15)
  first.signal('SIGSTOP')
  const ended = await ending(hub, 'frozen')
  first.signal('SIGCONT')

  expect(ended.status).toBe('completed')
  expect(tooEarly(await deliveryTimes(hub.running.hub.db, 'frozen'))).toBe(0)
  const { notified } = await readRow(hub.running.hub.db, 'frozen')
  expect(notified).toBeGreaterThanOrEqual(count)
  expect(fleet.methodCallCount).toBeLessThanOrEqual(count)
}, 120_000)
