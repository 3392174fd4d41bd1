import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { roles } from '../../src/roles.ts'
import { startHub, type TestHub } from '../hub.ts'
import { deviceRows, ending, putJob, reaching } from '../jobs.ts'
import { startGatewayProcess } from '../role-process.ts'
import { givenFleet } from '../simulated.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ roles: roles.filter(({ name }) => name !== 'gateway') })
})
afterAll(() => hub[Symbol.asyncDispose]())

const method = { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 30 }

it('J6 G39 a gateway that was frozen across a cancel calls nobody when it thaws', async () => {
  await using gateway = await startGatewayProcess(hub)
  await using fleet = await givenFleet({ ...hub, ...gateway }, { count: 20, prefix: 'thaw', tags: { site: 'thaw' } })
  await fleet.connect()

  gateway.signal('SIGSTOP')
  await putJob(hub, 'thaw', {
    type: 'scheduleDeviceMethod',
    queryCondition: "tags.site = 'thaw'",
    cloudToDeviceMethod: method,
  })
  await reaching(hub, 'thaw', 'runningCount', 20)
  const cancelled = await hub.request('POST', '/jobs/v2/thaw/cancel')
  gateway.signal('SIGCONT')
  const ended = await reaching(hub, 'thaw', 'canceledCount', 20)

  expect(cancelled.status).toBe(200)
  expect(ended).toMatchObject({ status: 'cancelled', deviceJobStatistics: { runningCount: 0, pendingCount: 0 } })
  expect(await deviceRows(hub, "jobId = 'thaw' AND deliveries > 0")).toEqual([])
  expect(fleet.methodCallCount).toBe(0)
})

it('J22 what a killed gateway had delivered is not called again, and its row says so', async () => {
  const gateway = await startGatewayProcess(hub)
  await using fleet = await givenFleet(
    { ...hub, ...gateway },
    { count: 20, prefix: 'dies', tags: { site: 'dies' }, behaviour: { silent: true } },
  )
  await fleet.connect()
  const { told } = await hearDeliveries(20)
  await putJob(hub, 'dies', {
    type: 'scheduleDeviceMethod',
    queryCondition: "tags.site = 'dies'",
    cloudToDeviceMethod: method,
  })
  await reaching(hub, 'dies', 'runningCount', 20)
  await told
  await gateway[Symbol.asyncDispose]()
  const ended = await ending(hub, 'dies')

  expect(ended).toMatchObject({ status: 'completed', deviceJobStatistics: { failedCount: 20 } })
  expect(await deviceRows(hub, "jobId = 'dies'")).toMatchObject(
    Array.from({ length: 20 }, () => ({ deliveries: 1, error: { code: 'DeviceConnectionClosedRemotely' } })),
  )
  expect(fleet.methodCallCount).toBe(20)
})

/**
 * Listens to what gateways tell workers. Returns a promise of so many deliveries: a device has its call some milliseconds before its gateway
 * tells so.
 */
async function hearDeliveries(count: number): Promise<{ readonly told: Promise<void> }> {
  const { REDIS_URL = '', MUSTER_REDIS_PREFIX = '' } = hub.environment
  const redis = new Redis(REDIS_URL)
  await redis.psubscribe(`${MUSTER_REDIS_PREFIX}:caller:*`)
  const told = new Promise<void>((resolve) => {
    let deliveries = 0
    redis.on('pmessage', (_pattern, _channel, text: string) => {
      const { progress = [] }: { progress?: readonly { kind: string }[] } = JSON.parse(text)
      deliveries += progress.filter(({ kind }) => kind === 'delivered').length
      if (deliveries >= count) resolve()
    })
  })
  return { told: told.finally(() => redis.disconnect()) }
}
