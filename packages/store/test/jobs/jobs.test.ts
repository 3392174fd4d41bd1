import { type Job, type JobStatus, type JobType, jobStatuses, jobTransitions, jsonText } from '@muster/contract'
import { eventually } from '@muster/testkit'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { markReachable } from '../../src/jobs/device-jobs.ts'
import {
  cancelJob,
  completeJob,
  failJob,
  insertJob,
  listJobs,
  markScheduled,
  putOffStart,
} from '../../src/jobs/jobs.ts'
import { ensurePartitions } from '../../src/jobs/start/partitions.ts'
import { findDueJobs } from '../../src/jobs/sweeps/find-due-jobs.ts'
import { purgeHistory } from '../../src/jobs/sweeps/purge-history.ts'
import { connect } from '../../src/postgres/connect.ts'
import type { Page } from '../../src/postgres/page.ts'
import { type Db, rows } from '../../src/postgres/sql.ts'
import {
  claim,
  claimDue,
  claimed,
  counts,
  countWaiting,
  deviceNames,
  givenDevices,
  givenJob,
  givenRunningJob,
  noon,
  on,
  openStore,
  read,
  recordFirstAttempts,
  start,
  worker,
} from './engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

describe('a job', () => {
  it('J1 keeps its id to itself: a second insert changes nothing', async () => {
    const job = await givenJob(db, { jobId: 'reboot' })

    const second = await insertJob(
      db,
      { ...job, target: { kind: 'devices', deviceIds: [] }, queryCondition: 'x', startTime: null },
      noon,
    )

    expect(second).toBeNull()
    expect(await read(db, job)).toEqual(job)
  })

  it.each(jobStatuses)('J2 moves from %s only as the table of transitions says', async (from) => {
    const moves = {
      scheduled: async (key: Parameters<typeof markScheduled>[1]) => markScheduled(db, key),
      running: (key: Parameters<typeof start>[1]) => start(db, key),
      completed: (key: Parameters<typeof completeJob>[1]) => completeJob(db, key, noon),
      failed: (key: Parameters<typeof failJob>[1]) => failJob(db, key, 'no', noon),
    }
    for (const [to, move] of Object.entries(moves)) {
      const job = await givenJob(db, { devices: [] })
      await force(job.jobId, from)

      await move(job.key)

      expect([from, ...jobTransitions[from]], `${from} to ${to}`).toContain((await read(db, job)).status)
    }
    const job = await givenJob(db, { devices: [] })
    await force(job.jobId, from)
    await cancelJob(db, job.jobId, noon)
    expect([from, ...jobTransitions[from]]).toContain((await read(db, job)).status)
  })

  it('J3 freezes its target set once: what is registered later does not join', async () => {
    await givenDevices(db, ['frozen-1', 'frozen-2'], { isReachable: false })
    const job = await givenJob(db, {
      target: { kind: 'condition', queryCondition: "STARTSWITH(deviceId, 'frozen')" },
      queryCondition: "STARTSWITH(deviceId, 'frozen')",
    })

    await start(db, job.key)
    await givenDevices(db, ['frozen-3'], { isReachable: false })

    expect(await counts(db, job)).toEqual([2, 0, 0, 0, 2, 0])
  })

  it('J3 is started by one of many that try at once', async () => {
    const job = await givenJob(db, { devices: deviceNames(50) })

    const starts = await Promise.all(Array.from({ length: 8 }, () => start(db, job.key, { chunkSize: 7 })))

    expect(starts.filter(({ kind }) => kind === 'started')).toHaveLength(1)
    expect(await counts(db, job)).toEqual([50, 0, 0, 0, 50, 0])
  })

  it('J3 regression: starts at the same time as others in a week that has no partition yet', async () => {
    await using own = await openStore()
    const jobs = await Promise.all(Array.from({ length: 8 }, () => givenJob(own.db)))

    const starts = await Promise.all(jobs.map(({ key }) => start(own.db, key)))

    expect(starts.map(({ kind }) => kind)).toEqual(jobs.map(() => 'started'))
  })

  it('J12 waits in queued while as many jobs run as may, and the earlier start goes first', async () => {
    await using own = await openStore()
    const running = await givenJob(own.db, { startTime: on('11:00:00') })
    const second = await givenJob(own.db, { startTime: on('11:30:00') })
    const third = await givenJob(own.db, { startTime: on('11:40:00') })
    await start(own.db, running.key, { maxRunningJobs: 1 })

    const whileFull = await start(own.db, second.key, { maxRunningJobs: 1 })
    await cancelJob(own.db, running.jobId, noon)
    const outOfTurn = await start(own.db, third.key, { maxRunningJobs: 1 })
    const inTurn = await start(own.db, second.key, { maxRunningJobs: 1 })

    expect([whileFull.kind, outOfTurn.kind, inTurn.kind]).toEqual(['full', 'full', 'started'])
    expect((await read(own.db, third)).status).toBe('queued')
  })

  it('J12 holds no place while it only waits, and goes on without asking for one', async () => {
    await using own = await openStore()
    const waiting = await givenJob(own.db, { devices: ['device-0000'] })
    const next = await givenJob(own.db, { devices: ['device-0001'] })
    await start(own.db, waiting.key, { maxRunningJobs: 1 })
    const whileReady = await start(own.db, next.key, { maxRunningJobs: 1 })
    const chunk = await claimed(own.db, waiting.key)
    const whileInFlight = await start(own.db, next.key, { maxRunningJobs: 1 })
    await recordFirstAttempts(own.db, chunk, [{ deviceId: 'device-0000', status: 'pending', dueAt: null }], noon)

    const whileWaiting = await start(own.db, next.key, { maxRunningJobs: 1 })
    await markReachable(own.db, ['device-0000'], noon)
    const due = await claimDue(own.db, waiting.key, { workerId: worker, limit: 1 }, noon)

    expect([whileReady.kind, whileInFlight.kind, whileWaiting.kind]).toEqual(['full', 'full', 'started'])
    expect(due?.attempts).toHaveLength(1)
  })

  it('J12 does not come before others because it was to start before it was made', async () => {
    await using own = await openStore()
    const first = await givenJob(own.db, {}, on('11:59:58'))
    const second = await givenJob(own.db, { startTime: on('09:00:00') }, on('11:59:59'))

    expect(await findDueJobs(own.db, { limit: 10 }, noon)).toEqual([first.key, second.key])
    expect((await start(own.db, second.key, { maxRunningJobs: 1 })).kind).toBe('full')
  })

  it('J7 ends at the end of its window also while it waits for a place, with its devices failed', async () => {
    await using own = await openStore()
    const running = await givenJob(own.db)
    await start(own.db, running.key, { maxRunningJobs: 1 })
    const late = await givenJob(own.db, { maxExecutionTimeInSeconds: 60 })
    const next = await givenJob(own.db)
    const atTheEnd = on('12:01:00')

    const due = await findDueJobs(own.db, { limit: 10 }, atTheEnd)
    const started = await start(own.db, late.key, { maxRunningJobs: 1, now: atTheEnd })
    const ended = await completeJob(own.db, late.key, atTheEnd)

    expect(due).toEqual([late.key, next.key])
    expect(started.kind).toBe('started')
    expect(await claim(own.db, late.key, on('12:00:59'))).toBeNull()
    expect(ended).toMatchObject({ status: 'completed', statistics: { deviceCount: 3, failedCount: 3 } })
  })

  it('J6 can be cancelled while its target set is searched', async () => {
    const job = await givenJob(db)
    await using impatient = openImpatient()
    await using search = await holdSearch(job)
    const starting = start(db, job.key)
    await eventually(async () => expect(await countWaiting(db)).toBe(1))

    const cancelled = await cancelJob(impatient.db, job.jobId, noon)
    await search.goOn()

    expect(cancelled.kind).toBe('cancelled')
    expect((await starting).kind).toBe('idle')
    expect(await counts(db, job)).toBeNull()
  })

  it('J41 does not start when it is paused while its target set is searched', async () => {
    const job = await givenJob(db)
    await using search = await holdSearch(job)
    const starting = start(db, job.key)
    await eventually(async () => expect(await countWaiting(db)).toBe(1))

    await rows(db, sql`update jobs set paused_at = now() where job_key = ${job.key} and paused_at is null`)
    await search.goOn()

    expect((await starting).kind).toBe('idle')
    expect((await read(db, job)).status).toBe('queued')
  })

  it('J33 holds no place, and lets others start, while a failed start is put off', async () => {
    await using own = await openStore()
    const failing = await givenJob(own.db)
    const next = await givenJob(own.db)

    const attempts = await putOffStart(own.db, failing.key, noon)
    const due = await findDueJobs(own.db, { limit: 10 }, noon)
    const started = await start(own.db, next.key, { maxRunningJobs: 1 })
    const dueLater = await findDueJobs(own.db, { limit: 10 }, on('12:00:01'))

    expect(attempts).toBe(1)
    expect(due).toEqual([next.key])
    expect(started.kind).toBe('started')
    expect(dueLater).toEqual([failing.key])
  })

  it('J12 regression: is found due after an earlier one of the same start time where their keys gain a digit', async () => {
    await using own = await openStore()
    await rows(own.db, sql`alter table jobs alter column job_key restart with 9`)
    const ninth = await givenJob(own.db, { startTime: on('11:00:00') })
    const tenth = await givenJob(own.db, { startTime: on('11:00:00') })

    expect(await findDueJobs(own.db, { limit: 10 }, noon)).toEqual([ninth.key, tenth.key])
    expect(await findDueJobs(own.db, { limit: 1 }, noon)).toEqual([ninth.key])
  })

  it('J13 is completed by one of many last workers', async () => {
    const job = await givenRunningJob(db, { devices: 1 })
    const chunk = await claimed(db, job.key)
    await recordFirstAttempts(
      db,
      chunk,
      [{ deviceId: 'device-0000', status: 'completed', response: jsonText({}) }],
      noon,
    )

    const ends = await Promise.all(Array.from({ length: 8 }, () => completeJob(db, job.key, noon)))

    expect(ends.filter((ended) => ended !== null)).toHaveLength(1)
    expect(await read(db, job)).toMatchObject({ status: 'completed', endTime: noon })
  })

  it('J13 is not completed while a device is open', async () => {
    const job = await givenRunningJob(db, { devices: 2 })
    const chunk = await claimed(db, job.key)
    await recordFirstAttempts(
      db,
      chunk,
      [{ deviceId: 'device-0000', status: 'completed', response: jsonText({}) }],
      noon,
    )

    expect(await completeJob(db, job.key, noon)).toBeNull()
  })

  it('J16 with no target completes with zeros', async () => {
    const job = await givenRunningJob(db, { devices: 0 })

    await completeJob(db, job.key, noon)

    expect(await read(db, job)).toMatchObject({ status: 'completed' })
    expect(await counts(db, job)).toEqual([0, 0, 0, 0, 0, 0])
  })

  it('J18 whose condition fails on the data it meets is failed with the reason, and starts nothing', async () => {
    const job = await givenJob(db, {
      queryCondition: 'tags.x =',
      target: { kind: 'condition', queryCondition: 'tags.x =' },
    })

    await expect(start(db, job.key)).rejects.toThrow(/parse/)
    await failJob(db, job.key, 'SQL query parse failed', noon)

    expect(await read(db, job)).toMatchObject({
      status: 'failed',
      failureReason: 'SQL query parse failed',
      statistics: null,
    })
  })
})

describe('the list of jobs', () => {
  it('is paged from the latest on, whatever is inserted meanwhile', async () => {
    await using own = await openStore()
    for (const minute of ['01', '02', '03', '04', '05']) {
      await givenJob(own.db, { jobId: `at-${minute}` }, on(`12:${minute}:00`))
    }

    const pages = await listedIds(own.db, { limit: 2 }, (page) =>
      givenJob(own.db, { jobId: `later-${page}` }, on('12:30:00')),
    )

    expect(pages).toEqual([['at-05', 'at-04'], ['at-03', 'at-02'], ['at-01']])
  })

  it('is filtered by type and status', async () => {
    await using own = await openStore()
    await givenJob(own.db, { jobId: 'method' })
    await givenJob(own.db, { jobId: 'twin', type: 'scheduleUpdateTwin' })

    expect(await listedIds(own.db, { type: 'scheduleUpdateTwin', status: 'queued' })).toEqual([['twin']])
  })

  it('Q31 has pages of 4 MiB, and each job once, however large they are', async () => {
    await using own = await openStore()
    const ids = Array.from({ length: 200 }, (_, index) => `job-${String(index).padStart(3, '0')}`)
    for (const [index, jobId] of ids.entries()) {
      const payload = 'x'.repeat(index % 3 === 0 ? 10 : 100_000)
      await givenJob(own.db, { jobId, body: { methodName: 'm', payload } }, on('12:00:00'))
    }

    const pages = await listedIds(own.db, { limit: 1000 })

    expect(pages.flat()).toEqual(ids)
    // Of three jobs, two have 100 KB.
    expect(pages.map(({ length }) => length)).toEqual([63, 63, 63, 11])
  })
})

/** Lets the start of a job go on only later: another transaction writes its first chunk, and gives it up. */
async function holdSearch({ key }: Job) {
  await ensurePartitions(db, noon)
  const { db: other, close } = connect({ url: store.url, poolSize: 1 })
  await rows(other, sql`begin`)
  await rows(
    other,
    sql`insert into chunks (week, job_key, chunk_no, device_ids, device_count) values ('2026-03-02', ${key}, 0, '{}', 0)`,
  )
  return { goOn: () => rows(other, sql`rollback`), [Symbol.asyncDispose]: close }
}

/** Whoever has to wait for a lock longer than a cancel may take gets an error. */
function openImpatient() {
  const { db, close } = connect({ url: `${store.url}?options=-c lock_timeout=2s`, poolSize: 1 })
  return { db, [Symbol.asyncDispose]: close }
}

/** The ids of the jobs on each page; `meanwhile` happens between two of them. */
async function listedIds(
  db: Db,
  { type = null, status = null, limit = 10 }: { type?: JobType | null; status?: JobStatus | null; limit?: number },
  meanwhile: (page: number) => Promise<unknown> = async () => {},
): Promise<(readonly string[])[]> {
  const pages: (readonly string[])[] = []
  let after: string | null = null
  do {
    if (after !== null) await meanwhile(pages.length)
    const page: Page = await listJobs(db, { type, status }, { limit, after, write: ({ jobId }) => jobId })
    pages.push(page.items)
    after = page.continuation
  } while (after !== null)
  return pages
}

describe('history', () => {
  it('J15 is purged with its partitions, and not before', async () => {
    await using own = await openStore()
    const old = await givenRunningJob(own.db, { devices: 3 })
    await cancelJob(own.db, old.jobId, noon)

    const early = await purgeHistory(own.db, { endedBefore: on('11:59:59'), limit: 10 })
    const late = await purgeHistory(own.db, { endedBefore: new Date('2026-04-01T00:00:00Z'), limit: 10 })

    expect([early, late]).toEqual([0, 1])
    const partitions = await rows<{ relname: string }>(
      own.db,
      sql`select relname from pg_class where relname like 'chunks_2026%' and relkind = 'r'`,
    )
    expect(partitions.map(({ relname }) => relname)).not.toContain('chunks_20260302')
  })

  it('J15 goes although Postgres reads the names of all its tables first', async () => {
    await using own = await openStore()
    await givenRunningJob(own.db, { devices: 3 })

    const purged = await own.db.transaction(async (tx) => {
      // The plan of a database with many partitions.
      await tx.execute(sql`set local enable_nestloop = off`)
      await tx.execute(sql`set local enable_mergejoin = off`)
      return purgeHistory(tx, { endedBefore: on('11:59:59'), limit: 10 })
    })

    expect(purged).toBe(0)
  })
})

/** Puts a job without devices into a status that no single statement leads to. */
async function force(jobId: string, status: string): Promise<void> {
  const hasEnded = ['completed', 'failed', 'cancelled'].includes(status)
  const hasStarted = status === 'running' || status === 'completed'
  await rows(
    db,
    sql`
    update jobs
       set status = ${status},
           ended_at = case when ${hasEnded} then now() end,
           frozen_at = case when ${hasStarted} then now() end,
           week = case when ${hasStarted} then date '2026-03-02' end
     where job_id = ${jobId}
    returning job_id`,
  )
}
