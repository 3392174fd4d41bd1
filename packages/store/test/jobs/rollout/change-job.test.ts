import type { Job, JobChange } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claimChunk, readRunningJob } from '../../../src/jobs/chunks.ts'
import { cancelJob } from '../../../src/jobs/jobs.ts'
import { changeJob } from '../../../src/jobs/rollout/change-job.ts'
import { pauseJob, resumeJob } from '../../../src/jobs/rollout/pause.ts'
import { expireOverdueJobs } from '../../../src/jobs/sweeps/expire-overdue-jobs.ts'
import { findDueJobs } from '../../../src/jobs/sweeps/find-due-jobs.ts'
import { type Db, rows } from '../../../src/postgres/sql.ts'
import { deviceNames, givenJob, givenLease, noon, on, openStore, read, start, worker } from '../engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

const asker = { actor: 'policy:owner', clientAddress: '192.0.2.7' }
const change = (own: Db, { key }: Job, changes: JobChange, now = noon) => changeJob(own, key, changes, asker, now)

async function given(rollout: NonNullable<Job['extensions']['rollout']>, own = db): Promise<Job> {
  const job = await givenJob(own, { devices: deviceNames(50), extensions: { rollout } })
  await start(own, job.key)
  return job
}

/** How many devices a claim gets now, or how long it has to wait. */
async function take(own: Db, job: Job, now = noon): Promise<number | { readonly waitMs: number } | null> {
  await givenLease(own, worker, now)
  const running = await readRunningJob(own, job.key)
  const claimed = running === null ? null : await claimChunk(own, running, worker, now)
  return claimed === null ? null : 'waitMs' in claimed ? claimed : claimed.deviceIds.length
}

async function changesOf({ key }: Job): Promise<unknown[]> {
  const told = await rows<{ actor: string; fields: unknown }>(
    db,
    sql`select actor, fields from job_events where job_key = ${key} and kind = 'changed' order by event_no`,
  )
  return told.map(({ actor, fields }) => [actor, fields])
}

describe('R33 a change of the rate', () => {
  it('holds from the next claim on, is shown by reads, and is an event of who asked for it', async () => {
    const job = await given({ maximumPerMinute: 6 })
    const before = [await take(db, job), await take(db, job)]

    expect(await change(db, job, { rollout: { maximumPerMinute: 60 } })).toBe(true)
    const faster = [await take(db, job), await take(db, job)]
    expect(await change(db, job, { rollout: { maximumPerMinute: null } })).toBe(true)

    expect(before).toEqual([1, { waitMs: 9_500 }])
    expect(faster).toEqual([1, { waitMs: 500 }])
    expect([await take(db, job), await take(db, job)]).toEqual([1, 1])
    expect((await read(db, job)).extensions).toEqual({})
    expect(await changesOf(job)).toEqual([
      ['policy:owner', { changes: { 'rollout.maximumPerMinute': 60 } }],
      ['policy:owner', { changes: { 'rollout.maximumPerMinute': null } }],
    ])
  })

  it('and of the devices in flight go together, and what is as it was is no change', async () => {
    const job = await given({ maximumInFlight: 20 })

    await change(db, job, { rollout: { maximumPerMinute: 600, maximumInFlight: 2 } })

    expect([await take(db, job), await take(db, job)]).toEqual([2, { waitMs: 500 }])
    expect(await change(db, job, { rollout: { maximumInFlight: 2 }, maxExecutionTimeInSeconds: 3600 })).toBe(false)
    expect(await changesOf(job)).toHaveLength(1)
  })

  it('of a ramp begins its curve anew, and a new maximum leaves it where it is', async () => {
    const job = await given({
      maximumPerMinute: 6_000,
      exponentialRate: {
        baseRatePerMinute: 600,
        incrementFactor: 2,
        rateIncreaseCriteria: { numberOfNotifiedThings: 10 },
      },
    })
    const rate = async () =>
      (await rows<{ rate: number }>(db, sql`select rate from jobs where job_key = ${job.key}`))[0]?.rate
    await take(db, job)
    const rates = [await rate()]

    await change(db, job, { rollout: { maximumPerMinute: 900 } })
    rates.push(await rate())
    await change(db, job, { rollout: { maximumPerMinute: 6_000 } })
    rates.push(await rate())
    const anew = {
      baseRatePerMinute: 300,
      incrementFactor: 3,
      rateIncreaseCriteria: { numberOfNotifiedThings: 10 },
    }
    await change(db, job, { rollout: { exponentialRate: anew } })
    rates.push(await rate())
    await take(db, job)
    rates.push(await rate())
    await change(db, job, { rollout: { exponentialRate: null } })
    rates.push(await rate())

    expect(rates).toEqual([1_200, 900, 1_200, 300, 900, 6_000])
  })

  it('R34 that leaves a ramp without an end is refused, and changes nothing', async () => {
    const exponentialRate = {
      baseRatePerMinute: 600,
      incrementFactor: 2,
      rateIncreaseCriteria: { numberOfSucceededThings: 10 },
    }
    const job = await given({ maximumPerMinute: 6_000, exponentialRate })

    await expect(change(db, job, { rollout: { maximumPerMinute: null }, priority: 3 })).rejects.toThrow(
      'rollout.maximumPerMinute is missing; it must be given beside exponentialRate',
    )
    expect((await read(db, job)).extensions).toEqual({ rollout: { maximumPerMinute: 6_000, exponentialRate } })
  })
})

it('R33 a change of the priority moves a job among those that wait', async () => {
  await using own = await openStore()
  const [first, second] = [await givenJob(own.db), await givenJob(own.db)]
  const due = async () => findDueJobs(own.db, { limit: 10 }, noon)

  const before = await due()
  await change(own.db, second, { priority: 501 })
  const after = await due()
  await change(own.db, second, { priority: null })

  expect([before, after, await due()]).toEqual([
    [first.key, second.key],
    [second.key, first.key],
    [first.key, second.key],
  ])
})

describe('R33 a change of the window', () => {
  it('moves its end, also of a paused job', async () => {
    await using own = await openStore()
    const [running, paused] = [await givenJob(own.db), await givenJob(own.db)]
    for (const { key } of [running, paused]) await start(own.db, key)
    await pauseJob(own.db, paused.key, { asker, reason: null }, on('12:00:10'))

    for (const job of [running, paused]) await change(own.db, job, { maxExecutionTimeInSeconds: 60 }, on('12:00:20'))
    await resumeJob(own.db, paused.key, { asker }, on('12:00:40'))

    const expired = []
    for (const time of ['12:00:59', '12:01:00', '12:01:29', '12:01:30']) {
      expired.push(await expireOverdueJobs(own.db, { limit: 10 }, on(time)))
    }
    expect(expired).toEqual([0, 1, 0, 1])
    expect((await read(own.db, running)).maxExecutionTimeInSeconds).toBe(60)
  })

  it('that is over is refused', async () => {
    const job = await givenJob(db, { maxExecutionTimeInSeconds: 60 })
    await start(db, job.key)

    await expect(change(db, job, { maxExecutionTimeInSeconds: 90 }, on('12:01:00'))).rejects.toMatchObject({
      code: 'OperationNotAllowedInCurrentState',
    })
    expect(await change(db, job, { maxExecutionTimeInSeconds: 60, priority: 1 }, on('12:01:00'))).toBe(true)
  })
})

it('R34 an ended job does not change', async () => {
  const job = await givenJob(db)
  await cancelJob(db, job.jobId, noon)

  expect(await change(db, job, { priority: 1 })).toBe(false)
  expect(await changesOf(job)).toEqual([])
})
