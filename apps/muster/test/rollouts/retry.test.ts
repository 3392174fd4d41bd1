import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startHub, type TestHub } from '../hub.ts'
import { deviceRows, ending, putJob, reaching } from '../jobs.ts'
import { givenFleet } from '../simulated.ts'

let hub: TestHub

beforeAll(async () => {
  hub = await startHub()
})
afterAll(() => hub[Symbol.asyncDispose]())

const failure = { status: 500, payload: { why: 'no memory' } }
const reboot = { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 5 }
const atOnce = { initialSeconds: 0 }

function jobFor(prefix: string, retry: object) {
  return {
    type: 'scheduleDeviceMethod',
    queryCondition: `deviceId = '${prefix}-0000'`,
    cloudToDeviceMethod: reboot,
    retry,
  }
}

it('R51 R57 a device that fails twice and then succeeds has succeeded, and its row tells of each call', async () => {
  await using fleet = await givenFleet(hub, {
    count: 1,
    prefix: 'recovers',
    tags: {},
    behaviour: { firstAnswers: [failure, failure] },
  })
  await fleet.connect()

  await putJob(hub, 'recovers', jobFor('recovers', { maxAttempts: 3, backoff: atOnce }))

  expect(await ending(hub, 'recovers')).toMatchObject({
    status: 'completed',
    deviceJobStatistics: { succeededCount: 1 },
  })
  const failed = { status: 500, text: '{"why":"no memory"}' }
  expect(await deviceRows(hub, "jobId = 'recovers'")).toMatchObject([
    {
      status: 'completed',
      deliveries: 3,
      outcome: { deviceMethodResponse: { status: 200 } },
      attempts: [failed, failed, { status: 200 }],
    },
  ])
  expect(fleet.methodCallCount).toBe(3)
})

it('R53 after the last attempt the answer of the device is its outcome', async () => {
  await using fleet = await givenFleet(hub, { count: 1, prefix: 'fails', tags: {}, behaviour: { status: 503 } })
  await fleet.connect()

  await putJob(hub, 'fails', jobFor('fails', { maxAttempts: 2, on: ['503'], backoff: atOnce }))

  await ending(hub, 'fails')
  expect(await deviceRows(hub, "jobId = 'fails'")).toMatchObject([
    {
      status: 'completed',
      deliveries: 2,
      outcome: { deviceMethodResponse: { status: 503 } },
      attempts: [{ status: 503 }, { status: 503 }],
    },
  ])
  expect(fleet.methodCallCount).toBe(2)
})

it('R52 a device that was silent is called again if the job names that', async () => {
  await using fleet = await givenFleet(hub, {
    count: 1,
    prefix: 'dozes',
    tags: {},
    behaviour: { firstAnswers: [null] },
  })
  await fleet.connect()

  await putJob(hub, 'dozes', jobFor('dozes', { maxAttempts: 2, on: ['GatewayTimeout'], backoff: atOnce }))

  await ending(hub, 'dozes')
  expect(await deviceRows(hub, "jobId = 'dozes'")).toMatchObject([
    { status: 'completed', deliveries: 2, attempts: [{ code: 'GatewayTimeout' }, { status: 200 }] },
  ])
})

it('R56 a device that says not now is called again after the time that it gives, and that is no attempt', async () => {
  const notNow = { status: 503, payload: { retryAfterSeconds: 1 } }
  await using fleet = await givenFleet(hub, {
    count: 1,
    prefix: 'busy',
    tags: {},
    behaviour: { firstAnswers: [notNow, notNow] },
  })
  await fleet.connect()

  await putJob(hub, 'busy', jobFor('busy', { maxAttempts: 1, deviceSays: true }))

  await ending(hub, 'busy')
  const rows = await deviceRows(hub, "jobId = 'busy'")
  expect(rows).toMatchObject([
    {
      status: 'completed',
      deliveries: 3,
      outcome: { deviceMethodResponse: { status: 200 } },
      attempts: [{ status: 503 }, { status: 503 }, { status: 200 }],
    },
  ])
})

it('R52 a device whose connection was lost before it answered is called again if the job names that', async () => {
  await using fleet = await givenFleet(hub, {
    count: 1,
    prefix: 'drops',
    tags: {},
    behaviour: { firstAnswers: [null] },
  })
  await fleet.connect()

  const job = jobFor('drops', { maxAttempts: 2, on: ['unknownOutcome'], backoff: atOnce })
  await putJob(hub, 'drops', { ...job, cloudToDeviceMethod: { ...reboot, responseTimeoutInSeconds: 60 } })
  await eventually(() => expect(fleet.methodCallCount).toBe(1))
  await fleet.disconnect()
  await reaching(hub, 'drops', 'pendingCount', 1)
  await fleet.connect()

  await ending(hub, 'drops')
  expect(await deviceRows(hub, "jobId = 'drops'")).toMatchObject([
    {
      status: 'completed',
      deliveries: 2,
      attempts: [{ code: 'DeviceConnectionClosedRemotely' }, { status: 200 }],
    },
  ])
})
