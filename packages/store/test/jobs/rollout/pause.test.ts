import type { Job } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { markReachable } from '../../../src/jobs/device-jobs.ts'
import { cancelJob, completeJob } from '../../../src/jobs/jobs.ts'
import { pauseJob, resumeJob } from '../../../src/jobs/rollout/pause.ts'
import { cancelLongPaused } from '../../../src/jobs/sweeps/cancel-long-paused.ts'
import { expireOverdueJobs } from '../../../src/jobs/sweeps/expire-overdue-jobs.ts'
import { findDueJobs } from '../../../src/jobs/sweeps/find-due-jobs.ts'
import { findForgottenWork } from '../../../src/jobs/sweeps/find-forgotten-work.ts'
import { type Db, rows } from '../../../src/postgres/sql.ts'
import { deviceJobRows } from '../../../src/queries/device-job-rows.ts'
import {
  claim,
  claimDue,
  claimed,
  counts,
  execute,
  givenJob,
  givenRunningJob,
  noon,
  on,
  openStore,
  read,
  recordFirstAttempts,
  start,
  worker,
} from '../engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

const asker = { actor: 'policy:owner', clientAddress: '192.0.2.7' }

const pause = (db: Db, { key }: Job, now = noon) => pauseJob(db, key, { asker, reason: 'the depot burns' }, now)
const resume = (db: Db, { key }: Job, now = noon) => resumeJob(db, key, { asker }, now)

it('J41 a paused job starts no attempt, first or later, and what is in flight is counted', async () => {
  await using own = await openStore()
  const job = await givenRunningJob(own.db, { devices: 3, chunkSize: 1 })
  const [waiting, inFlight] = [await claimed(own.db, job.key), await claimed(own.db, job.key)]
  await recordFirstAttempts(own.db, waiting, [{ deviceId: 'device-0000', status: 'pending', dueAt: null }], noon)
  await pause(own.db, job)

  await markReachable(own.db, ['device-0000'], noon)
  const attempts = [
    await claim(own.db, job.key),
    await claimDue(own.db, job.key, { workerId: worker, limit: 10 }, noon),
  ]
  const woken = await findForgottenWork(own.db, { limit: 10 }, noon)
  const recorded = await recordFirstAttempts(
    own.db,
    inFlight,
    [{ deviceId: 'device-0001', status: 'failed', error: { code: 'GatewayTimeout', description: 'no answer' } }],
    noon,
  )

  expect(attempts).toEqual([null, null])
  expect(woken).toEqual([])
  expect(recorded.count).toBe(1)
  expect(await read(own.db, job)).toMatchObject({ status: 'running' })
  expect(await counts(own.db, job)).toEqual([3, 0, 1, 0, 2, 0])
})

it('J41 a resumed job is found by the sweeps, with the devices that became reachable meanwhile', async () => {
  await using own = await openStore()
  const job = await givenRunningJob(own.db, { devices: 2, chunkSize: 1 })
  const chunk = await claimed(own.db, job.key)
  await recordFirstAttempts(own.db, chunk, [{ deviceId: 'device-0000', status: 'pending', dueAt: null }], noon)
  await pause(own.db, job)
  await markReachable(own.db, ['device-0000'], noon)

  await resume(own.db, job)

  const found = await findForgottenWork(own.db, { limit: 10 }, noon)
  expect(found.map(({ kind }) => kind).toSorted()).toEqual(['chunks', 'due'])
  expect((await claim(own.db, job.key))?.chunkNo).toBe(1)
  expect((await claimDue(own.db, job.key, { workerId: worker, limit: 10 }, noon))?.attempts).toHaveLength(1)
})

it('J41 a paused twin job changes no twin', async () => {
  const job = await givenRunningJob(db, { devices: 2, type: 'scheduleUpdateTwin' })
  await pause(db, job)

  const whilePaused = await execute(db, job.key)
  await resume(db, job)

  expect(whilePaused).toBeNull()
  expect((await execute(db, job.key))?.deviceCount).toBe(2)
})

it('J41 J12 a paused job holds no place, and goes on without asking for one', async () => {
  await using own = await openStore()
  const job = await givenJob(own.db, { devices: ['device-0000'] })
  const next = await givenJob(own.db, { devices: ['device-0001'] })
  await start(own.db, job.key, { maxRunningJobs: 1 })
  await pause(own.db, job)

  expect((await start(own.db, next.key, { maxRunningJobs: 1 })).kind).toBe('started')
  await resume(own.db, job)
  expect(await claim(own.db, job.key)).not.toBeNull()
})

it('J41 a job that is paused before its start waits beyond it, and lets others start', async () => {
  await using own = await openStore()
  const job = await givenJob(own.db)
  const next = await givenJob(own.db)
  await pause(own.db, job)

  const due = await findDueJobs(own.db, { limit: 10 }, noon)
  const starts = [await start(own.db, job.key), await start(own.db, next.key, { maxRunningJobs: 1 })]
  await resume(own.db, job)

  expect(due).toEqual([next.key])
  expect(starts.map(({ kind }) => kind)).toEqual(['idle', 'started'])
  expect((await start(own.db, job.key)).kind).toBe('started')
})

describe('R39 J41 the window of a paused job stands still', () => {
  it('so it does not end meanwhile, whether the job had started or not, and has its whole time after it', async () => {
    await using own = await openStore()
    const running = await givenRunningJob(own.db, { devices: 2, maxExecutionTimeInSeconds: 60 })
    const queued = await givenJob(own.db, { maxExecutionTimeInSeconds: 60 })
    for (const job of [running, queued]) await pause(own.db, job, on('12:00:20'))
    const [later, end] = [on('13:00:00'), on('13:00:40')]

    const expired = await expireOverdueJobs(own.db, { limit: 10 }, later)
    const due = await findDueJobs(own.db, { limit: 10 }, later)
    for (const job of [running, queued]) await resume(own.db, job, later)
    const early = await expireOverdueJobs(own.db, { limit: 10 }, on('13:00:39'))
    const overdue = await expireOverdueJobs(own.db, { limit: 10 }, end)
    await start(own.db, queued.key, { now: end })

    expect([expired, due, early, overdue]).toEqual([0, [], 0, 1])
    const ended = [await completeJob(own.db, running.key, end), await completeJob(own.db, queued.key, end)]
    expect(ended.map((job) => job?.statistics?.failedCount)).toEqual([2, 3])
  })

  it('of a device job reads show the end that it had when the pause began', async () => {
    await using own = await openStore()
    const job = await givenRunningJob(own.db, { devices: 1, maxExecutionTimeInSeconds: 60 })
    await pause(own.db, job, on('12:00:20'))

    const shown = await rows<{ deadline_at: string }>(
      own.db,
      sql`select deadline_at::text from (${deviceJobRows(sql`c.job_key = ${job.key}`)}) as row`,
    )
    expect(shown).toEqual([{ deadline_at: '2026-03-02 12:01:00+00' }])
  })

  it('and a running job whose window is over is not paused, but ends', async () => {
    await using own = await openStore()
    const job = await givenRunningJob(own.db, { devices: 2, maxExecutionTimeInSeconds: 60 })
    const end = on('12:01:00')

    const paused = await pause(own.db, job, end)
    const expired = await expireOverdueJobs(own.db, { limit: 10 }, end)

    expect([paused, expired]).toEqual([false, 1])
    expect((await completeJob(own.db, job.key, end))?.status).toBe('completed')
  })
})

it('R38 R40 R41 a pause is of who asked first, and an ended job has none', async () => {
  const job = await givenJob(db)

  const pauses = [
    await pauseJob(db, job.key, { asker, reason: 'first' }, on('12:00:01')),
    await pauseJob(db, job.key, { asker: { ...asker, actor: 'policy:other' }, reason: 'second' }, on('12:00:02')),
  ]
  const { pause: shown } = await read(db, job)
  const resumes = [await resume(db, job, on('12:00:03')), await resume(db, job, on('12:00:04'))]
  await pause(db, job, on('12:00:05'))
  await cancelJob(db, job.jobId, on('12:00:06'))
  const afterEnd = [await pause(db, job), await resume(db, job)]

  expect([pauses, resumes, afterEnd]).toEqual([
    [true, false],
    [true, false],
    [false, false],
  ])
  expect(shown).toEqual({ time: on('12:00:01'), by: 'policy:owner', reason: 'first' })
  expect((await read(db, job)).pause).toBeNull()
  const told = await rows(
    db,
    sql`select kind, actor, fields from job_events where job_key = ${job.key} and kind in ('paused', 'resumed') order by event_no`,
  )
  expect(told).toEqual([
    { kind: 'paused', actor: 'policy:owner', fields: { reason: 'first' } },
    { kind: 'resumed', actor: 'policy:owner', fields: {} },
    { kind: 'paused', actor: 'policy:owner', fields: { reason: 'the depot burns' } },
  ])
})

describe('R42 a pause that lasts for too long cancels the job', () => {
  const isPausedFor = (timeoutSeconds?: number) => ({ asker, reason: null, timeoutSeconds })

  it('after the time that the pause has, or else the job, and never after it was resumed', async () => {
    await using own = await openStore()
    const extensions = { pauseTimeoutSeconds: 60 }
    const [ofJob, ofPause, forever, resumed] = [
      await givenJob(own.db, { extensions }),
      await givenJob(own.db, { extensions }),
      await givenJob(own.db),
      await givenJob(own.db, { extensions }),
    ]
    await pauseJob(own.db, ofJob.key, isPausedFor(), noon)
    await pauseJob(own.db, ofPause.key, isPausedFor(90), noon)
    await pauseJob(own.db, forever.key, isPausedFor(), noon)
    await pauseJob(own.db, resumed.key, isPausedFor(), noon)
    await resume(own.db, resumed, on('12:00:59'))

    const cancelled = []
    for (const time of ['12:00:59', '12:01:00', '12:01:29', '12:01:30', '12:59:59']) {
      cancelled.push((await cancelLongPaused(own.db, { limit: 10 }, on(time))).map(({ jobId }) => jobId))
    }

    expect(cancelled).toEqual([[], [ofJob.jobId], [], [ofPause.jobId], []])
    expect(await read(own.db, ofPause)).toMatchObject({
      status: 'cancelled',
      failureReason: 'the job was paused for 90 s, and nobody resumed it',
    })
  })

  it('and its devices are canceled, but for those in flight', async () => {
    await using own = await openStore()
    const job = await givenRunningJob(own.db, { devices: 3, chunkSize: 1 })
    await claimed(own.db, job.key)
    await pauseJob(own.db, job.key, isPausedFor(1), noon)

    expect(await cancelLongPaused(own.db, { limit: 10 }, on('12:00:01'))).toMatchObject([{ status: 'cancelled' }])
    expect(await counts(own.db, job)).toEqual([3, 0, 0, 1, 0, 2])
  })
})

it('J41 J6 a paused job can be cancelled, before its start and after it', async () => {
  const running = await givenRunningJob(db, { devices: 2 })
  const queued = await givenJob(db)
  for (const job of [running, queued]) {
    await pause(db, job)
    expect((await cancelJob(db, job.jobId, noon)).kind).toBe('cancelled')
  }

  expect(await counts(db, running)).toEqual([2, 0, 0, 0, 0, 2])
  expect((await start(db, queued.key)).kind).toBe('idle')
})
