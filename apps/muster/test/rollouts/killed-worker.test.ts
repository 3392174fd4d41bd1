import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { roles } from '../../src/roles.ts'
import { startHub, type TestHub } from '../hub.ts'
import { deviceRows, ending, putJob } from '../jobs.ts'
import { startProcess } from '../role-process.ts'
import { givenFleet } from '../simulated.ts'

let hub: TestHub

beforeAll(async () => {
  hub = await startHub({ roles: roles.filter(({ name }) => name !== 'worker') })
})
afterAll(() => hub[Symbol.asyncDispose]())

it('R58 a worker is killed between two calls of a device: the next one knows of the first, and makes no more', async () => {
  await using fleet = await givenFleet(hub, {
    count: 20,
    prefix: 'kill',
    tags: { site: 'kill' },
    behaviour: { status: 500 },
  })
  await fleet.connect()
  const first = await startProcess(hub, ['worker'])

  await putJob(hub, 'survives', {
    type: 'scheduleDeviceMethod',
    queryCondition: "tags.site = 'kill'",
    cloudToDeviceMethod: { methodName: 'reboot', payload: null },
    retry: { maxAttempts: 2, backoff: { initialSeconds: 4, jitter: 'none' } },
  })
  await eventually(async () => {
    const rows = await deviceRows(hub, "jobId = 'survives' AND status = 'pending' AND deliveries = 1")
    expect(rows).toHaveLength(20)
  })
  await first[Symbol.asyncDispose]()
  await using _ = await startProcess(hub, ['worker'])

  expect(await ending(hub, 'survives')).toMatchObject({
    status: 'completed',
    deviceJobStatistics: { deviceCount: 20, succeededCount: 20, failedCount: 0 },
  })
  expect(fleet.methodCallCount).toBe(40)
  const twice = expect.objectContaining({ deliveries: 2, attempts: [failed, failed] })
  expect(await deviceRows(hub, "jobId = 'survives'")).toEqual(Array.from({ length: 20 }, () => twice))
}, 150_000)

const failed = expect.objectContaining({ status: 500 })
