import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startHub, type TestHub } from '../hub.ts'
import { ending, putJob, reaching } from '../jobs.ts'
import { givenFleet } from '../simulated.ts'
import { openWay, type Way } from '../way.ts'

let hub: TestHub
let way: Way

beforeAll(async () => {
  hub = await startHub({
    reach: async ({ port }) => {
      way = await openWay(Number(port))
      return way.port
    },
  })
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
  await way[Symbol.asyncDispose]()
})

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

it('J22 J24 answers that devices give while Postgres is away, for longer than a lease, are recorded when it is back; nobody is called twice', async () => {
  await using fleet = await givenFleet(hub, {
    count: 200,
    prefix: 'away',
    tags: { site: 'away' },
    behaviour: { latencyMs: [2_000, 8_000] },
  })
  await fleet.connect()

  await putJob(hub, 'away', {
    type: 'scheduleDeviceMethod',
    queryCondition: "tags.site = 'away'",
    cloudToDeviceMethod: { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 10 },
  })
  await reaching(hub, 'away', 'runningCount', 200)
  await way.close()
  // A lease is 15 s, and every device has answered after 8 s.
  await sleep(18_000)
  await way.open()
  const ended = await ending(hub, 'away')

  expect(ended).toMatchObject({
    status: 'completed',
    deviceJobStatistics: { deviceCount: 200, succeededCount: 200, failedCount: 0, runningCount: 0, pendingCount: 0 },
  })
  expect(fleet.methodCallCount).toBe(200)
}, 90_000)
