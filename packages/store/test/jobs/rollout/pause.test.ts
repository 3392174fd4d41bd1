import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { markReachable } from '../../../src/jobs/device-jobs.ts'
import { cancelJob, completeJob } from '../../../src/jobs/jobs.ts'
import { expireOverdueJobs } from '../../../src/jobs/sweeps/expire-overdue-jobs.ts'
import { findDueJobs } from '../../../src/jobs/sweeps/find-due-jobs.ts'
import { findForgottenWork } from '../../../src/jobs/sweeps/find-forgotten-work.ts'
import type { Db } from '../../../src/postgres/sql.ts'
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
import { setJob } from './set-rows.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

const paused = sql`paused_at = ${noon.toISOString()}::timestamptz, paused_by = 'policy:owner'`
const resumed = sql`paused_at = null, paused_by = null`

it('J41 a paused job starts no attempt, first or later, and what is in flight is counted', async () => {
  await using own = await openStore()
  const job = await givenRunningJob(own.db, { devices: 3, chunkSize: 1 })
  const [waiting, inFlight] = [await claimed(own.db, job.key), await claimed(own.db, job.key)]
  await recordFirstAttempts(own.db, waiting, [{ deviceId: 'device-0000', status: 'pending', dueAt: null }], noon)
  await setJob(own.db, job, paused)

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
  await setJob(own.db, job, paused)
  await markReachable(own.db, ['device-0000'], noon)

  await setJob(own.db, job, resumed)

  const found = await findForgottenWork(own.db, { limit: 10 }, noon)
  expect(found.map(({ kind }) => kind).toSorted()).toEqual(['chunks', 'due'])
  expect((await claim(own.db, job.key))?.chunkNo).toBe(1)
  expect((await claimDue(own.db, job.key, { workerId: worker, limit: 10 }, noon))?.attempts).toHaveLength(1)
})

it('J41 a paused twin job changes no twin', async () => {
  const job = await givenRunningJob(db, { devices: 2, type: 'scheduleUpdateTwin' })
  await setJob(db, job, paused)

  const whilePaused = await execute(db, job.key)
  await setJob(db, job, resumed)

  expect(whilePaused).toBeNull()
  expect((await execute(db, job.key))?.deviceCount).toBe(2)
})

it('J41 J12 a paused job holds no place, and goes on without asking for one', async () => {
  await using own = await openStore()
  const job = await givenJob(own.db, { devices: ['device-0000'] })
  const next = await givenJob(own.db, { devices: ['device-0001'] })
  await start(own.db, job.key, { maxRunningJobs: 1 })
  await setJob(own.db, job, paused)

  expect((await start(own.db, next.key, { maxRunningJobs: 1 })).kind).toBe('started')
  await setJob(own.db, job, resumed)
  expect(await claim(own.db, job.key)).not.toBeNull()
})

it('J41 a job that is paused before its start waits beyond it, and lets others start', async () => {
  await using own = await openStore()
  const job = await givenJob(own.db)
  const next = await givenJob(own.db)
  await setJob(own.db, job, paused)

  const due = await findDueJobs(own.db, { limit: 10 }, noon)
  const starts = [await start(own.db, job.key), await start(own.db, next.key, { maxRunningJobs: 1 })]
  await setJob(own.db, job, resumed)

  expect(due).toEqual([next.key])
  expect(starts.map(({ kind }) => kind)).toEqual(['idle', 'started'])
  expect((await start(own.db, job.key)).kind).toBe('started')
})

it('J41 the window of a paused job goes on: at its end the devices are counted, whether it had started or not', async () => {
  await using own = await openStore()
  const running = await givenRunningJob(own.db, { devices: 2, maxExecutionTimeInSeconds: 60 })
  const queued = await givenJob(own.db, { maxExecutionTimeInSeconds: 60 })
  for (const job of [running, queued]) await setJob(own.db, job, paused)
  const later = on('12:01:00')

  await expireOverdueJobs(own.db, { limit: 10 }, later)
  expect(await findDueJobs(own.db, { limit: 10 }, later)).toEqual([queued.key])
  await start(own.db, queued.key, { now: later })

  const ended = [await completeJob(own.db, running.key, later), await completeJob(own.db, queued.key, later)]
  expect(ended.map((job) => job?.statistics?.failedCount)).toEqual([2, 3])
})

it('J41 J6 a paused job can be cancelled, before its start and after it', async () => {
  const running = await givenRunningJob(db, { devices: 2 })
  const queued = await givenJob(db)
  for (const job of [running, queued]) {
    await setJob(db, job, paused)
    expect((await cancelJob(db, job.jobId, noon)).kind).toBe('cancelled')
  }

  expect(await counts(db, running)).toEqual([2, 0, 0, 0, 0, 2])
  expect((await start(db, queued.key)).kind).toBe('idle')
})
