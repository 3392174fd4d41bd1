import postgres from 'postgres'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startHub, type TestHub } from '../hub.ts'
import { ending, putJob, reaching } from '../jobs.ts'
import { givenFleet } from '../simulated.ts'

let hub: TestHub

beforeAll(async () => {
  hub = await startHub()
})
afterAll(() => hub[Symbol.asyncDispose]())

it('J20 a method job of 300 devices ends with exact statistics though its connections to Postgres are cut, again and again', async () => {
  await using fleet = await givenFleet(hub, {
    count: 300,
    prefix: 'cut',
    tags: { site: 'cut' },
    behaviour: { latencyMs: [100, 1_500] },
  })
  await fleet.connect()
  const admin = postgres(hub.environment.DATABASE_URL ?? '', { max: 1, onnotice: () => {} })
  const cutAll = () => admin`
    select pg_terminate_backend(pid)
      from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid()`

  await putJob(hub, 'cut', {
    type: 'scheduleDeviceMethod',
    queryCondition: "tags.site = 'cut'",
    cloudToDeviceMethod: { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 10 },
  })
  for (const share of [1, 50, 120]) {
    await reaching(hub, 'cut', 'succeededCount', share)
    await cutAll()
  }
  const ended = await ending(hub, 'cut')
  await admin.end()

  expect(ended).toMatchObject({
    status: 'completed',
    deviceJobStatistics: { deviceCount: 300, succeededCount: 300, failedCount: 0, runningCount: 0, pendingCount: 0 },
  })
})
