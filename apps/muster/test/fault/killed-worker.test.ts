import { afterAll, beforeAll, expect, it } from 'vitest'
import { roles } from '../../src/roles.ts'
import { startHub, type TestHub } from '../hub.ts'
import { ending, putJob, reaching } from '../jobs.ts'
import { beLongConnected } from '../long-connected.ts'
import { startProcess } from '../role-process.ts'
import { givenFleet } from '../simulated.ts'

let hub: TestHub

beforeAll(async () => {
  hub = await startHub({ roles: roles.filter(({ name }) => name !== 'worker') })
})
afterAll(() => hub[Symbol.asyncDispose]())

it('J11 J22 a method job of 500 devices ends with exact statistics though a worker process is killed in the middle of it', async () => {
  await using fleet = await givenFleet(hub, {
    count: 500,
    prefix: 'kill',
    tags: { site: 'kill' },
    behaviour: { latencyMs: [100, 2_000] },
  })
  await fleet.connect()
  await beLongConnected(hub)
  const first = await startProcess(hub, ['worker'])

  await putJob(hub, 'survives', {
    type: 'scheduleDeviceMethod',
    queryCondition: "tags.site = 'kill'",
    cloudToDeviceMethod: { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 10 },
  })
  await reaching(hub, 'survives', 'succeededCount', 20)
  await first[Symbol.asyncDispose]()
  await using _ = await startProcess(hub, ['worker'])
  const ended = await ending(hub, 'survives')

  expect(ended).toMatchObject({
    status: 'completed',
    deviceJobStatistics: { deviceCount: 500, succeededCount: 500, failedCount: 0, runningCount: 0, pendingCount: 0 },
  })
  // What the first worker had in flight was asked for again, and the gateway knew it.
  expect(fleet.methodCallCount).toBe(500)
  // A lease, two starts of a process and 500 handshakes: on a busy machine that takes more than the usual minute.
}, 150_000)
