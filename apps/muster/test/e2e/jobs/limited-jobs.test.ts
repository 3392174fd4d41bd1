import { type JobKey, jobKey } from '@muster/contract'
import { type Db, startJob } from '@muster/store'
import { eventually } from '@muster/testkit'
import { expect, it, onTestFinished } from 'vitest'
import { roles } from '../../../src/roles.ts'
import { startHub, type TestHub } from '../../hub.ts'
import { ending, type JobJson, putJob, reaching } from '../../jobs.ts'
import { givenFleet } from '../../simulated.ts'

const twinJob = { type: 'scheduleUpdateTwin', queryCondition: '*', updateTwin: { etag: '*', tags: { seen: true } } }
const methodJob = {
  type: 'scheduleDeviceMethod',
  queryCondition: '*',
  cloudToDeviceMethod: { methodName: 'reboot', payload: null },
}

/** Without a dispatcher no sweep brings back a wake-up that has ended. */
const withoutSweeps = roles.filter(({ name }) => name !== 'dispatcher')

it.each([
  ['method', 'rate', 600, methodJob],
  ['twin', 'rate', 600, twinJob],
  ['method', 'max_in_flight', 4, methodJob],
  ['twin', 'max_in_flight', 4, twinJob],
])('J42 J43 a %s job with a %s of %s goes on to its end without any sweep', async (_, column, limit, body) => {
  const hub = await start(withoutSweeps)
  await using fleet = await givenFleet(hub, {
    count: 30,
    prefix: 'limited',
    tags: {},
    behaviour: { latencyMs: [20, 60] },
  })
  await fleet.connect()

  const key = await givenJob(hub, 'limited', body, `${column} = ${limit}, start_at = created_at`)
  const { db, bus, clock } = hub.running.hub
  await startJob(db, key, { maxRunningJobs: 10, chunkSize: () => 100 }, clock.now())
  const type = body === twinJob ? 'scheduleUpdateTwin' : 'scheduleDeviceMethod'
  await bus.wakeChunks(key, { type, priority: 500 })

  expect(await ending(hub, 'limited')).toMatchObject({
    status: 'completed',
    deviceJobStatistics: { deviceCount: 30, succeededCount: 30 },
  })
})

it('J43 a job has no more devices in flight than it may, whatever its workers do', async () => {
  const hub = await start(roles)
  await using fleet = await givenFleet(hub, { count: 40, prefix: 'few', tags: {}, behaviour: { latencyMs: [50, 100] } })
  await fleet.connect()
  const { db, events } = hub.running.hub
  const counts: Promise<number>[] = []
  events.on('chunkRecorded', () => counts.push(countInFlight(db)))

  await givenJob(hub, 'few', methodJob, 'max_in_flight = 5, start_at = created_at')
  const ended = await ending(hub, 'few')

  expect(ended).toMatchObject({ status: 'completed', deviceJobStatistics: { succeededCount: 40 } })
  const inFlight = await Promise.all(counts)
  expect(inFlight.length).toBeGreaterThan(0)
  expect(Math.max(...inFlight)).toBeLessThanOrEqual(5)
})

it('J41 a job that is paused in its course stands still, and goes on when it is resumed', async () => {
  const hub = await start(roles)
  const { db } = hub.running.hub
  await using fleet = await givenFleet(hub, { count: 12, prefix: 'paused', tags: {} })
  await fleet.connect()
  await givenJob(hub, 'paused', methodJob, 'rate = 120, start_at = created_at')

  await reaching(hub, 'paused', 'succeededCount', 4)
  await db.execute("update jobs set paused_at = now() where job_id = 'paused'")
  const before = await standing(hub, 'paused')
  // It takes longer than the paused job would have needed.
  await givenJob(hub, 'other', methodJob, 'rate = 120, start_at = created_at')
  await ending(hub, 'other')
  const after = await standing(hub, 'paused')
  await db.execute("update jobs set paused_at = null where job_id = 'paused'")

  expect(before.deviceJobStatistics?.pendingCount).toBeGreaterThan(0)
  expect(after).toEqual(before)
  expect(await ending(hub, 'paused')).toMatchObject({
    status: 'completed',
    deviceJobStatistics: { succeededCount: 12 },
  })
})

async function start(of: typeof roles): Promise<TestHub> {
  const hub = await startHub({ roles: of })
  onTestFinished(() => hub[Symbol.asyncDispose]())
  return hub
}

/** A job with columns that the API does not set yet: it would start much later. */
async function givenJob(hub: TestHub, jobId: string, body: object, columns: string): Promise<JobKey> {
  await putJob(hub, jobId, { ...body, startTime: new Date(Date.now() + 3_600_000).toISOString() })
  const { rows } = await hub.running.hub.db.execute<{ job_key: string }>(
    `update jobs set ${columns} where job_id = '${jobId}' returning job_key::text`,
  )
  return jobKey(rows[0]?.job_key ?? '')
}

/** The job when none of its devices is in flight. */
function standing(hub: TestHub, jobId: string): Promise<JobJson> {
  return eventually(async () => {
    const job = await reaching(hub, jobId, 'deviceCount', 1)
    expect(job.deviceJobStatistics?.runningCount).toBe(0)
    return job
  })
}

async function countInFlight(db: Db): Promise<number> {
  const { rows } = await db.execute<{ count: number }>('select sum(running)::int as count from chunks')
  return rows[0]?.count ?? 0
}
