import type { Job, JobType } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cancelJob } from '../../../src/jobs/jobs.ts'
import { expireOverdueJobs } from '../../../src/jobs/sweeps/expire-overdue-jobs.ts'
import { findForgottenWork } from '../../../src/jobs/sweeps/find-forgotten-work.ts'
import { type Db, rows } from '../../../src/postgres/sql.ts'
import {
  claim,
  claimDue,
  counts,
  execute,
  givenJob,
  givenRunningJob,
  noon,
  on,
  openStore,
  recordFirstAttempts,
  start,
  worker,
} from '../engine.ts'
import { setChunks, setJob } from '../rollout/set-rows.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

describe('a stage', () => {
  it('J40 is written when the job starts, open and with every device', async () => {
    const job = await givenRunningJob(db, { devices: 5, chunkSize: 2 })

    expect(await rows(db, sql`select * from stages where job_key = ${job.key}`)).toEqual([
      {
        job_key: job.key,
        stage_no: 0,
        device_count: 5,
        opens_when: null,
        abort_when: null,
        opened_at: '2026-03-02 12:00:00+00',
        closed_at: null,
        reason: null,
        met_at: null,
        held_at: null,
        aborted_at: null,
      },
    ])
  })

  it.each(['scheduleDeviceMethod', 'scheduleUpdateTwin'] as const)(
    'J40 that is not open is left alone by the claims of a %s job, and wakes nobody',
    async (type) => {
      const job = await givenTwoStages(type)

      const first = await takeNext(job)
      const whileShut = [await takeNext(job), await isForgotten(job)]
      await setJob(db, job, sql`open_stage = 1`)

      expect(first).toBe(0)
      expect(whileShut).toEqual([null, false])
      expect([await isForgotten(job), await takeNext(job)]).toEqual([true, 1])
    },
  )

  it('J40 has its turn before later ones, wherever its chunks stand', async () => {
    const job = await givenRunningJob(db, { devices: 3, chunkSize: 1 })
    await setChunks(db, job, [0], sql`stage_no = 1`)
    await setJob(db, job, sql`open_stage = 1`)

    expect([await takeNext(job), await takeNext(job), await takeNext(job)]).toEqual([1, 2, 0])
  })

  it('J40 that is shut again starts no later attempt either', async () => {
    const job = await givenTwoStages('scheduleDeviceMethod')
    await setJob(db, job, sql`open_stage = 1`)
    await givenDueDevices(job)

    await setJob(db, job, sql`open_stage = 0`)
    const whileShut = await claimDue(db, job.key, { workerId: worker, limit: 10 }, noon)
    await setJob(db, job, sql`open_stage = 1`)
    const whenOpen = await claimDue(db, job.key, { workerId: worker, limit: 10 }, noon)

    expect([whileShut, whenOpen].map((due) => due?.attempts.map(({ deviceId }) => deviceId))).toEqual([
      ['device-0000'],
      ['device-0001'],
    ])
  })

  it('J40 J12 that is not open holds no place', async () => {
    await using own = await openStore()
    const staged = await givenJob(own.db, { devices: ['device-0000'] })
    const next = await givenJob(own.db, { devices: ['device-0001'] })
    await start(own.db, staged.key, { maxRunningJobs: 1 })
    await setChunks(own.db, staged, [0], sql`stage_no = 1`)

    expect((await start(own.db, next.key, { maxRunningJobs: 1 })).kind).toBe('started')
  })

  it('J40 ends with its job: the devices of stages that never opened are canceled, or failed at the end of the window', async () => {
    const cancelled = await givenTwoStages('scheduleDeviceMethod')
    const overdue = await givenTwoStages('scheduleDeviceMethod')

    await cancelJob(db, cancelled.jobId, noon)
    await expireOverdueJobs(db, { limit: 100 }, on('13:00:00'))

    expect(await counts(db, cancelled)).toEqual([2, 0, 0, 0, 0, 2])
    expect(await counts(db, overdue)).toEqual([2, 0, 2, 0, 0, 0])
  })
})

describe('a held chunk', () => {
  it.each(['scheduleDeviceMethod', 'scheduleUpdateTwin'] as const)(
    'J40 of a %s job is not claimed, wakes nobody and holds no place',
    async (type) => {
      await using own = await openStore()
      const job = await givenJob(own.db, { type })
      const next = await givenJob(own.db)
      await start(own.db, job.key, { maxRunningJobs: 1 })
      await setChunks(own.db, job, [0], sql`status = 'held'`)

      const taken = type === 'scheduleUpdateTwin' ? await execute(own.db, job.key) : await claim(own.db, job.key)

      expect(taken).toBeNull()
      expect(await findForgottenWork(own.db, { limit: 100 }, noon)).toEqual([])
      expect((await start(own.db, next.key, { maxRunningJobs: 1 })).kind).toBe('started')
    },
  )

  it('J40 starts no later attempt, and none is looked for', async () => {
    const job = await givenRunningJob(db, { devices: 2, chunkSize: 2 })
    await givenDueDevices(job)
    await setChunks(db, job, [0], sql`status = 'held'`)

    expect(await claimDue(db, job.key, { workerId: worker, limit: 10 }, noon)).toBeNull()
    expect(await isForgotten(job)).toBe(false)
  })

  it('J40 is not claimed without a device that is left, whatever was made of it', async () => {
    const job = await givenRunningJob(db, { devices: 1 })
    await givenDueDevices(job)
    await setChunks(db, job, [0], sql`status = 'ready'`)

    expect(await claim(db, job.key)).toBeNull()
  })

  it('J40 ends with its job as a ready one does', async () => {
    const cancelled = await givenRunningJob(db, { devices: 2 })
    const overdue = await givenRunningJob(db, { devices: 2 })
    for (const job of [cancelled, overdue]) await setChunks(db, job, [0], sql`status = 'held'`)

    await cancelJob(db, cancelled.jobId, noon)
    await expireOverdueJobs(db, { limit: 100 }, on('13:00:00'))

    expect(await counts(db, cancelled)).toEqual([2, 0, 0, 0, 0, 2])
    expect(await counts(db, overdue)).toEqual([2, 0, 2, 0, 0, 0])
    const statuses = await rows(
      db,
      sql`select distinct status from chunks where job_key in (${cancelled.key}, ${overdue.key})`,
    )
    expect(statuses).toEqual([{ status: 'attempted' }])
  })
})

/** A running job with one device in each of two stages. */
async function givenTwoStages(type: JobType): Promise<Job> {
  const job = await givenRunningJob(db, { devices: 2, chunkSize: 1, type })
  await setChunks(db, job, [1], sql`stage_no = 1`)
  return job
}

/** The number of the chunk that a worker takes next. */
async function takeNext({ key, type }: Job): Promise<number | null> {
  const taken = type === 'scheduleUpdateTwin' ? await execute(db, key) : await claim(db, key)
  return taken?.chunkNo ?? null
}

/** Every device has been attempted once, and is to be attempted again now. */
async function givenDueDevices({ key }: Job): Promise<void> {
  for (let chunk = await claim(db, key); chunk !== null; chunk = await claim(db, key)) {
    const outcomes = chunk.deviceIds.map((deviceId) => ({ deviceId, status: 'pending', dueAt: noon }) as const)
    await recordFirstAttempts(db, chunk, outcomes, noon)
  }
}

async function isForgotten({ key }: Job): Promise<boolean> {
  const forgotten = await findForgottenWork(db, { limit: 1_000 }, noon)
  return forgotten.some((work) => work.key === key)
}
