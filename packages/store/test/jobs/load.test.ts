import type { Job, JobType } from '@muster/contract'
import { gatewayId } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { cancelJob } from '../../src/jobs/jobs.ts'
import { countingSettings, countLoad, readLoad, selectLoad } from '../../src/jobs/load.ts'
import { setLocally } from '../../src/postgres/briefly.ts'
import { type Db, rows } from '../../src/postgres/sql.ts'
import { heartbeat } from '../../src/sessions/gateways.ts'
import { forgetJobs } from '../forget-jobs.ts'
import {
  claim,
  claimDue,
  deviceNames,
  givenDevices,
  givenJob,
  givenRunningJob,
  noon,
  openStore,
  start,
} from './engine.ts'
import { setChunks, setJob } from './rollout/set-rows.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
  await givenDevices(db, deviceNames(1_000), { isReachable: true })
})
afterAll(() => store[Symbol.asyncDispose]())
beforeEach(async () => {
  await forgetJobs(db)
  await db.execute(sql`truncate gateways, workers cascade`)
})

const twinJob: JobType = 'scheduleUpdateTwin'
const after = (ms: number) => new Date(noon.getTime() + ms)

async function readyCalls(now = noon): Promise<number> {
  return (await readLoad(db, now)).ready.scheduleDeviceMethod ?? 0
}

/** Each of its devices has had a first attempt, and has this time for the next one. */
async function givenTried(job: Job, dueAt: SQL): Promise<void> {
  await db.execute(sql`
    insert into device_jobs (week, job_key, device_id, chunk_no, status, attempt, due_at, updated_at)
    select week, job_key, id, chunk_no, 'pending', 1, ${dueAt}, now()
      from chunks, unnest(device_ids) as id
     where job_key = ${job.key}`)
  await db.execute(sql`update chunks set attempted = device_count, status = 'attempted' where job_key = ${job.key}`)
}

describe('the load', () => {
  it('L1 is empty in a hub without jobs', async () => {
    expect(await readLoad(db, noon)).toEqual({ ready: {}, leased: 0, connections: 0 })
  })

  it('L1 has the devices of ready chunks, by the type of their jobs', async () => {
    await givenRunningJob(db, { devices: 250 })
    await givenRunningJob(db, { devices: 30 })
    await givenRunningJob(db, { devices: 7, type: twinJob })

    expect((await readLoad(db, noon)).ready).toEqual({ scheduleDeviceMethod: 280, scheduleUpdateTwin: 7 })
  })

  it('L1 has what workers hold as leased, and no longer as ready', async () => {
    const { key } = await givenRunningJob(db, { devices: 250 })
    await claim(db, key)

    expect(await readLoad(db, noon)).toMatchObject({ ready: { scheduleDeviceMethod: 150 }, leased: 100 })
  })

  it('L1 has later attempts that are under way as leased, too', async () => {
    const job = await givenRunningJob(db, { devices: 5 })
    await givenTried(job, sql`${noon.toISOString()}::timestamptz`)
    await claimDue(db, job.key, { workerId: 'worker-1', limit: 2 }, noon)

    expect(await readLoad(db, noon)).toMatchObject({ ready: { scheduleDeviceMethod: 3 }, leased: 2 })
  })

  it('L1 has devices that are due within ten seconds, and none that are due later', async () => {
    const job = await givenRunningJob(db, { devices: 5 })
    await givenTried(job, sql`${after(10_001).toISOString()}::timestamptz`)

    expect([await readyCalls(noon), await readyCalls(after(1))]).toEqual([0, 5])
  })

  it('L1 has a chunk that was put off when it may come again within ten seconds', async () => {
    const job = await givenRunningJob(db, { devices: 5 })
    await setChunks(db, job, [0], sql`not_before = ${after(20_000).toISOString()}`)

    expect([await readyCalls(after(9_999)), await readyCalls(after(10_000))]).toEqual([0, 5])
  })

  it('L2 has none that wait for their device', async () => {
    await givenTried(await givenRunningJob(db, { devices: 5 }), sql`'infinity'`)

    expect(await readyCalls()).toBe(0)
  })

  it('L2 has nothing of a job that has not started, is paused, has ended, or whose window is over', async () => {
    await givenJob(db)
    await setJob(db, await givenRunningJob(db, { devices: 5 }), sql`paused_at = now()`)
    await cancelJob(db, (await givenRunningJob(db, { devices: 5 })).jobId, noon)
    await givenRunningJob(db, { devices: 5, maxExecutionTimeInSeconds: 60 })

    expect(await readyCalls(after(60_000))).toBe(0)
  })

  it('L2 has nothing of held chunks, or of stages that are not open', async () => {
    const first = await givenRunningJob(db, { devices: 3, chunkSize: 1 })
    await setChunks(db, first, [0], sql`status = 'held'`)
    await setChunks(db, first, [1], sql`stage_no = 1`)
    const later = await givenRunningJob(db, { devices: 3, chunkSize: 1 })
    await givenTried(later, sql`${noon.toISOString()}::timestamptz`)
    await setChunks(db, later, [0], sql`status = 'held'`)
    await setChunks(db, later, [1], sql`stage_no = 1`)

    expect(await readyCalls()).toBe(2)
  })

  it('L2 has of a job with a rate what that permits within ten seconds', async () => {
    const job = await givenRunningJob(db, { devices: 1_000, chunkSize: 10 })
    await setJob(db, job, sql`rate = 600`)
    const free = await readyCalls()
    await setJob(db, job, sql`rate_free_at = ${after(4_000).toISOString()}`)
    const soon = await readyCalls()
    await setJob(db, job, sql`rate_free_at = ${after(10_000).toISOString()}`)

    expect([free, soon, await readyCalls()]).toEqual([100, 60, 0])
  })

  it('L2 has of a job with a limit in flight what still has room', async () => {
    const job = await givenRunningJob(db, { devices: 100, chunkSize: 10 })
    await setJob(db, job, sql`max_in_flight = 15`)
    const before = await readyCalls()
    await claim(db, job.key)

    expect(before).toBe(15)
    expect(await readLoad(db, noon)).toMatchObject({ ready: { scheduleDeviceMethod: 5 }, leased: 10 })
  })

  it('L2 lets no limited job hide the work of another', async () => {
    await setJob(db, await givenRunningJob(db, { devices: 1_000, chunkSize: 1 }), sql`max_in_flight = 1`)
    await givenRunningJob(db, { devices: 40 })

    expect(await readyCalls()).toBe(41)
  })

  it('L3 has the connections of live gateways', async () => {
    await heartbeat(db, { gatewayId: gatewayId('one'), connections: 3 }, noon)
    await heartbeat(db, { gatewayId: gatewayId('two'), connections: 9 }, noon)
    await heartbeat(db, { gatewayId: gatewayId('two'), connections: 4 }, after(1_000))
    await heartbeat(db, { gatewayId: gatewayId('dead'), connections: 100 }, after(-20_001))

    expect((await readLoad(db, noon)).connections).toBe(7)
  })
})

describe('beside 100,000 chunks that are ready', () => {
  /** In twenty jobs, beside 5,000 jobs that have ended. For each device that is due another one waits. */
  async function givenMuchWork(): Promise<void> {
    const jobs = await Promise.all(Array.from({ length: 20 }, () => givenJob(db)))
    for (const { key } of jobs) await start(db, key)
    await db.execute(sql`
      insert into chunks (week, job_key, chunk_no, device_ids, device_count)
      select week, job_key, no, '{device-0001}', 100
        from jobs, generate_series(1, 5000) as no`)
    await db.execute(sql`
      insert into device_jobs (week, job_key, device_id, chunk_no, status, attempt, due_at, updated_at)
      select week, job_key, 'd' || no, 1, 'pending', 1,
             case when no % 2 = 0 then 'infinity' else ${noon.toISOString()}::timestamptz end, now()
        from jobs, generate_series(1, 1000) as no`)
    await db.execute(sql`
      insert into jobs (job_id, type, status, query_condition, body, max_execution_seconds, created_at, start_at,
                        deadline_at, ended_at)
      select 'ended-' || no, 'scheduleDeviceMethod', 'completed', '*', '{}', 60, now(), now(), now(), now()
        from generate_series(1, 5000) as no`)
    await db.execute(sql`analyze`)
  }

  it('L4 the load counts a bounded part of them, along indexes', async () => {
    await givenMuchWork()

    const { load, plans } = await db.transaction(async (tx) => {
      await setLocally(tx, countingSettings)
      const [explained] = await rows<{ 'QUERY PLAN': readonly { Plan: Plan }[] }>(
        tx,
        sql`explain (analyze, format json) ${selectLoad(noon)}`,
      )
      return { load: await countLoad(tx, noon), plans: flattened(explained?.['QUERY PLAN'][0]?.Plan) }
    })

    // 10,000 chunks of 100, and 10,000 devices that are due.
    expect(load.ready.scheduleDeviceMethod).toBeGreaterThan(500_000)
    expect(load.ready.scheduleDeviceMethod).toBeLessThanOrEqual(1_010_000)
    expect(plans.filter((plan) => plan['Node Type'] === 'Seq Scan').map(tableOf)).toEqual(['gateways'])
    for (const plan of plans) expect(plan['Actual Rows'] * plan['Actual Loops']).toBeLessThanOrEqual(30_000)
  })
})

interface Plan {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly Plans?: readonly Plan[]
}

function flattened(plan: Plan | undefined): readonly Plan[] {
  return plan === undefined ? [] : [plan, ...(plan.Plans ?? []).flatMap(flattened)]
}

function tableOf(plan: Plan): string {
  return plan['Relation Name'] ?? ''
}
