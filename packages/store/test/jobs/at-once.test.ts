import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { recordFirstAttempts, recordLaterAttempts } from '../../src/jobs/device-jobs.ts'
import { expireOverdueJobs } from '../../src/jobs/sweeps/expire-overdue-jobs.ts'
import { releaseExpiredChunks } from '../../src/jobs/sweeps/release-expired-chunks.ts'
import type { Db } from '../../src/postgres/sql.ts'
import { claimDue, claimed, counts, givenRunningJob, noon, on, openStore, worker } from './engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

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
    const due = await claimDue(db, job.key, { ...worker, ...all }, on('12:02:00'))
    if (due === null) throw new Error('nothing is due')

    const next = await db.transaction(async (tx) => {
      await recordLaterAttempts(tx, due, [{ deviceId, status: 'pending', dueAt: null }], on('12:02:00'))
      return claimed(db, job.key, on('12:02:00'))
    })

    expect([first.chunkNo, next.chunkNo]).toEqual([0, 1])
    expect(await counts(db, job)).toEqual([4, 0, 0, 2, 2, 0])
  })
})
