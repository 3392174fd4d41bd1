import { eventually } from '@muster/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { markReachable } from '../../src/jobs/device-jobs.ts'
import { markScheduled } from '../../src/jobs/jobs.ts'
import { expireOverdueJobs } from '../../src/jobs/sweeps/expire-overdue-jobs.ts'
import { releaseExpiredChunks } from '../../src/jobs/sweeps/release-expired-chunks.ts'
import type { Db } from '../../src/postgres/sql.ts'
import {
  claimDue,
  claimed,
  counts,
  countWaiting,
  givenJob,
  givenRunningJob,
  noon,
  on,
  openStore,
  read,
  recordFirstAttempts,
  recordLaterAttempts,
  start,
  worker,
} from './engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeEach(async () => {
  store = await openStore()
  db = store.db
})
afterEach(() => store[Symbol.asyncDispose]())

const all = { limit: 100 }

describe('two processes at once', () => {
  it('J7 share the jobs whose windows are over, and count each once', async () => {
    const jobs = [
      await givenRunningJob(db, { devices: 1, maxExecutionTimeInSeconds: 60 }),
      await givenRunningJob(db, { devices: 1, maxExecutionTimeInSeconds: 60 }),
    ]

    const [first, second] = await db.transaction(async (tx) => [
      await expireOverdueJobs(tx, { limit: 1 }, on('12:01:00')),
      await expireOverdueJobs(db, all, on('12:01:00')),
    ])

    expect([first, second]).toEqual([1, 1])
    expect(await Promise.all(jobs.map((job) => counts(db, job)))).toEqual(jobs.map(() => [1, 0, 1, 0, 0, 0]))
  })

  it('J4 J5 do not wait for each other: a claim passes over a chunk whose counters move, and takes the next one', async () => {
    const job = await givenRunningJob(db, { devices: 4, chunkSize: 2 })
    const first = await claimed(db, job.key)
    const [deviceId = ''] = first.deviceIds
    await recordFirstAttempts(db, first, [{ deviceId, status: 'pending', dueAt: noon }], noon)
    await releaseExpiredChunks(db, all, on('12:02:00'))
    const due = await claimDue(db, job.key, { workerId: worker, ...all }, on('12:02:00'))
    if (due === null) throw new Error('nothing is due')

    const next = await db.transaction(async (tx) => {
      await recordLaterAttempts(tx, due, [{ deviceId, status: 'pending', dueAt: null }], on('12:02:00'))
      return claimed(db, job.key, on('12:02:00'))
    })

    expect([first.chunkNo, next.chunkNo]).toEqual([0, 1])
    expect(await counts(db, job)).toEqual([4, 0, 0, 2, 2, 0])
  })

  it('J12 regression: leave a scheduled job in queued when its place is taken while its target set is searched', async () => {
    const waiting = await givenRunningJob(db, { devices: 1 })
    const chunk = await claimed(db, waiting.key)
    const outcomes = chunk.deviceIds.map((deviceId) => ({ deviceId, status: 'pending', dueAt: null }) as const)
    await recordFirstAttempts(db, chunk, outcomes, noon)
    const scheduled = await givenJob(db)
    await markScheduled(db, scheduled.key)
    const other = await givenJob(db, { devices: [] })

    const { starting } = await db.transaction(async (tx) => {
      // Places are taken one at a time, until the commit.
      await start(tx, other.key)
      const starting = start(db, scheduled.key, { maxRunningJobs: 1 })
      await eventually(async () => expect(await countWaiting(db)).toBe(1))
      await markReachable(db, chunk.deviceIds, noon)
      return { starting }
    })

    expect((await starting).kind).toBe('full')
    expect((await read(db, scheduled)).status).toBe('queued')
  })
})
