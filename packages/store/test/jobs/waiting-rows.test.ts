import { type JobKey, jobKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningJob, readRunningJob } from '../../src/jobs/chunks.ts'
import { markDueWhereReachable, markReachable } from '../../src/jobs/device-jobs.ts'
import { markGone } from '../../src/jobs/gone-devices.ts'
import { ensurePartitions } from '../../src/jobs/start/partitions.ts'
import { findDrainedJobs } from '../../src/jobs/sweeps/find-drained-jobs.ts'
import { findForgottenWork } from '../../src/jobs/sweeps/find-forgotten-work.ts'
import { markForgottenReachable, type WaitingPlace } from '../../src/jobs/sweeps/mark-forgotten-reachable.ts'
import { type Db, rows } from '../../src/postgres/sql.ts'
import { deviceNames, givenDevices, givenJob, noon, openStore, start } from './engine.ts'

const device = 'device-0007'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

/** 10,000 device jobs wait in 200 jobs, five of each device. 5,000 jobs are history, of which 40 had 1,000 devices. */
beforeAll(async () => {
  store = await openStore()
  db = store.db
  await givenDevices(db, deviceNames(2_000), { isReachable: false })
  await ensurePartitions(db, noon)
  await givenTriedJobs(4_960, { jobStatus: 'cancelled', devices: 0, dueAt: null })
  await givenTriedJobs(40, { jobStatus: 'completed', devices: 1_000, dueAt: null })
  await givenTriedJobs(200, { jobStatus: 'running', devices: 50, dueAt: 'infinity' })
  await db.execute(sql`analyze`)
})
afterAll(() => store[Symbol.asyncDispose]())

describe('beside 10,000 device jobs that wait', () => {
  it('J8 the connection of a device looks at its own rows only', async () => {
    const { result, looked } = await looking((tx) => markReachable(tx, [device], noon))

    expect(result).toHaveLength(5)
    // Each is found, locked and changed.
    expect(looked).toEqual({ jobs: 5, deviceJobs: 10, chunks: 0, inWholeTables: 0 })
  })

  it('J8 the plan of a connection, whichever device it is, goes along the index of those who wait', async () => {
    const plan = await undone(async (tx) => {
      await markReachable(tx, [device], noon)
      await tx.execute(sql`set local plan_cache_mode = force_generic_plan`)
      return rows<{ 'QUERY PLAN': string }>(tx, sql`explain execute "markReachable" (null, null, null)`)
    })
    const lines = plan.map((line) => line['QUERY PLAN']).join('\n')

    expect(lines).toMatch(/Index Scan using device_jobs_\d+_device_id_job_key_idx/)
    expect(lines).not.toContain('Seq Scan')
  })

  it('J30 the deletion of a device looks at its own rows only', async () => {
    const { result, looked } = await looking((tx) => markGone(tx, [device], noon))

    expect(result).toHaveLength(5)
    expect(looked).toEqual({ jobs: 5, deviceJobs: 10, chunks: 0, inWholeTables: 0 })
  })

  it('J8 who has written a wait looks at its row only', async () => {
    const job = await givenJobThatWaits()

    const { looked } = await looking((tx) => markDueWhereReachable(tx, job, [device], noon))

    expect(looked).toEqual({ jobs: 0, deviceJobs: 1, chunks: 0, inWholeTables: 0 })
  })

  it('J14 the sweep for lost wake-ups looks at none of them, and at no job that waits', async () => {
    const { result, looked } = await looking((tx) => findForgottenWork(tx, { limit: 500 }, noon))

    expect(result).toEqual([])
    expect(looked).toEqual({ jobs: 0, deviceJobs: 0, chunks: 0, inWholeTables: 0 })
  })

  it('J12 a start counts the places without them, and without the jobs that wait', async () => {
    const job = await givenJob(db)

    const { result, looked } = await looking((tx) => start(tx, job.key, { maxRunningJobs: 0 }))

    expect(result).toEqual({ kind: 'full' })
    expect(looked).toMatchObject({ deviceJobs: 0, chunks: 0, inWholeTables: 0 })
    expect(looked.jobs).toBeLessThan(10)
  })

  it('J13 a pass for drained jobs looks at so many jobs, and the next pass at the next ones', async () => {
    let passes = 0
    let after: JobKey | null = null
    do {
      const { result, looked } = await looking((tx) => findDrainedJobs(tx, { limit: 60, after }, noon))
      expect(result.drained).toEqual([])
      expect(looked.inWholeTables).toBe(0)
      // The planner may look at both ends of the index, too.
      expect(looked.jobs).toBeLessThanOrEqual(62)
      passes += 1
      after = result.last
    } while (after !== null)

    expect(passes).toBe(4)
  })

  it('J8 a pass for those that were forgotten looks at so many of them, and the passes of a round at all', async () => {
    const round = await undone(async (tx) => {
      await tx.execute(
        sql`update sessions set gateway_id = 'gateway-1', accepts_methods = true where device_id = ${device}`,
      )
      let found = 0
      let passes = 0
      let after: WaitingPlace | null = null
      do {
        const pass = await markForgottenReachable(tx, { limit: 500, after }, noon)
        found += pass.count
        passes += 1
        after = pass.last
      } while (after !== null)

      return { found, passes }
    })

    const { looked } = await looking((tx) => markForgottenReachable(tx, { limit: 500, after: null }, noon))

    expect(round).toEqual({ found: 5, passes: 21 })
    // Only those whose device is reachable are read a second time, to be locked.
    expect(looked).toMatchObject({ deviceJobs: 500, inWholeTables: 0 })
  })

  it('J8 such a pass says whether all that it looked at is of jobs that have ended', async () => {
    const areOver = await undone(async (tx) => {
      const pass = async () => (await markForgottenReachable(tx, { limit: 100, after: null }, noon)).areOver
      await tx.execute(
        sql`update jobs set status = 'cancelled', ended_at = now() where status = 'running' and job_key % 4 > 0`,
      )
      const among = await pass()
      await tx.execute(sql`update jobs set status = 'cancelled', ended_at = now() where status = 'running'`)
      return [among, await pass()]
    })

    expect(areOver).toEqual([false, true])
  })
})

interface Looked {
  readonly jobs: number
  readonly deviceJobs: number
  readonly chunks: number
  /** Rows of these tables that were read without an index. */
  readonly inWholeTables: number
}

/** Which rows the work reads, as Postgres counts them in the transaction. The work is undone. */
async function looking<Result>(work: (tx: Db) => Promise<Result>): Promise<{ result: Result; looked: Looked }> {
  return undone(async (tx) => {
    const before = await lookedSoFar(tx)
    const result = await work(tx)
    const after = await lookedSoFar(tx)
    return {
      result,
      looked: {
        jobs: after.jobs - before.jobs,
        deviceJobs: after.deviceJobs - before.deviceJobs,
        chunks: after.chunks - before.chunks,
        inWholeTables: after.inWholeTables - before.inWholeTables,
      },
    }
  })
}

async function lookedSoFar(tx: Db): Promise<Looked> {
  const [looked] = await rows<{ [Key in keyof Looked]: number }>(
    tx,
    sql`
    select coalesce(sum(idx_tup_fetch) filter (where relname = 'jobs'), 0)::int as jobs,
           coalesce(sum(idx_tup_fetch) filter (where relname like 'device_jobs_%'), 0)::int as "deviceJobs",
           coalesce(sum(idx_tup_fetch) filter (where relname like 'chunks_%'), 0)::int as chunks,
           coalesce(sum(seq_tup_read), 0)::int as "inWholeTables"
      from pg_stat_xact_user_tables`,
  )
  if (looked === undefined) throw new TypeError('an aggregate without GROUP BY has a row')
  return looked
}

class Undone extends Error {}

async function undone<Result>(work: (tx: Db) => Promise<Result>): Promise<Result> {
  const done: Result[] = []
  const undoing = db.transaction(async (tx) => {
    done.push(await work(tx))
    throw new Undone()
  })
  await undoing.catch((error: unknown) => {
    if (!(error instanceof Undone)) throw error
  })
  const [result] = done
  if (result === undefined) throw new TypeError('the work has no result')
  return result
}

async function givenJobThatWaits(): Promise<RunningJob> {
  const [waiting] = await rows<{ job_key: string }>(
    db,
    sql`select job_key from device_jobs where device_id = ${device} and status = 'pending' limit 1`,
  )
  const job = await readRunningJob(db, jobKey(waiting?.job_key ?? ''))
  if (job === null) throw new TypeError('the job runs')
  return job
}

/** Jobs that have tried their devices once. `dueAt`: of the next attempt; null: they have answered. */
async function givenTriedJobs(
  count: number,
  { jobStatus, devices, dueAt }: { jobStatus: string; devices: number; dueAt: string | null },
): Promise<void> {
  await rows(
    db,
    sql`
    with job as (
      insert into jobs (job_id, type, status, query_condition, body, max_execution_seconds, created_at, start_at, deadline_at,
                        week, frozen_at, ended_at, last_generation_no)
      select ${jobStatus} || n, 'scheduleDeviceMethod', ${jobStatus}, '*', '{}', 3600, timestamptz '2026-03-02 12:00Z',
             timestamptz '2026-03-02 12:00Z', timestamptz '2026-03-02 13:00Z', date '2026-03-02', now(),
             case when ${dueAt}::text is null then now() end, 1000000
        from generate_series(1, ${count}::int) as n
      returning week, job_key),
    tried as (
      insert into device_jobs (week, job_key, chunk_no, device_id, status, attempt, due_at, updated_at)
      select week, job_key, 0, 'device-' || lpad(((job_key * ${devices}::int + n) % 2000)::text, 4, '0'),
             case when ${dueAt}::text is null then 'completed' else 'pending' end, 1, ${dueAt}::timestamptz, now()
        from job, generate_series(1, ${devices}::int) as n
      returning week, job_key, device_id)
    insert into chunks (week, job_key, chunk_no, device_ids, device_count, status, attempted, succeeded)
    select week, job_key, 0, array_agg(device_id), count(*), 'attempted', count(*),
           case when ${dueAt}::text is null then count(*) else 0 end
      from tried
     group by week, job_key`,
  )
}
