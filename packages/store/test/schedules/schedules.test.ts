import { type JobTemplate, jobKey, limits, type Rhythm } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { describe, expect, it, onTestFinished } from 'vitest'
import { hubItself } from '../../src/jobs/job-events.ts'
import { completeJob, readJob } from '../../src/jobs/jobs.ts'
import { pauseJob, resumeJob } from '../../src/jobs/rollout/pause.ts'
import { stopJobs } from '../../src/jobs/rollout/stops.ts'
import { type Db, rows } from '../../src/postgres/sql.ts'
import { findDueSchedules, runSchedule } from '../../src/schedules/run-schedule.ts'
import {
  deleteSchedule,
  listSchedules,
  putSchedule,
  readSchedule,
  type ScheduleDraft,
} from '../../src/schedules/schedules.ts'
import { execute, noon, on, openStore, start } from '../jobs/engine.ts'

async function openOwn() {
  const own = await openStore()
  onTestFinished(() => own[Symbol.asyncDispose]())
  return own.db
}

const job: JobTemplate = {
  type: 'scheduleUpdateTwin',
  target: { kind: 'devices', deviceIds: ['device-0'] },
  queryCondition: "deviceId IN ['device-0']",
  body: { tags: { a: 1 } },
  maxExecutionTimeInSeconds: 600,
  extensions: {},
}

const everyMinute = { kind: 'every', seconds: 60 } as const
const everyMinuteByCron = { kind: 'cron', cron: '* * * * *', timeZone: 'UTC' } as const

type Given = Partial<Omit<ScheduleDraft, 'times'>> & {
  readonly rhythm?: ScheduleDraft['times']['rhythm']
  readonly startAt?: Date
  readonly endAt?: Date
}

function draft({ rhythm = everyMinute, startAt, endAt, ...changes }: Given = {}): ScheduleDraft {
  const times = { rhythm, startAt: startAt ?? null, endAt: endAt ?? null }
  return { scheduleId: 'nightly', times, overlap: 'skip', catchUp: 'none', maxRuns: null, job, ...changes }
}

async function givenSchedule(db: Db, given: Given = {}, now = noon) {
  const put = await putSchedule(db, draft(given), 'policy:owner', now)
  if (put.kind !== 'put') throw new Error(`the schedule was not put: ${put.kind}`)
  return put.schedule
}

async function read(db: Db) {
  const schedule = await readSchedule(db, 'nightly')
  if (schedule === null) throw new Error('the schedule is gone')
  return schedule
}

/** What a dispatcher does at a time. */
async function pass(db: Db, now: Date) {
  const steps = []
  for (const id of await findDueSchedules(db, { limit: 10 }, now)) steps.push(await runSchedule(db, id, now))
  return steps
}

/** The ids of its jobs, and their statuses. */
async function jobsIn(db: Db): Promise<readonly string[]> {
  const found = await rows<{ text: string }>(db, sql`select job_id || ' ' || status as text from jobs order by job_key`)
  return found.map(({ text }) => text)
}

/** Ends a job of the one device. */
async function finish(db: Db, jobId: string, now: Date): Promise<void> {
  const found = await readJob(db, jobId)
  if (found === null) throw new Error(`there is no job ${jobId}`)
  await start(db, found.key, { now })
  await execute(db, found.key, undefined, now)
  await completeJob(db, found.key, now)
}

describe('R80 a schedule', () => {
  it('makes a job when its time has come, as itself, and moves on', async () => {
    const db = await openOwn()
    await givenSchedule(db)

    expect(await pass(db, on('12:00:59'))).toEqual([])
    const [step] = await pass(db, on('12:01:00.500'))

    expect(step?.job).toMatchObject({
      jobId: 'nightly-20260302T120100Z',
      scheduleId: 'nightly',
      startTime: on('12:01:00'),
      createdTime: on('12:01:00.500'),
      maxExecutionTimeInSeconds: 600,
      queryCondition: job.queryCondition,
    })
    expect(await read(db)).toMatchObject({
      runCount: 1,
      lastJobId: 'nightly-20260302T120100Z',
      lastRunTime: on('12:01:00'),
      nextTime: on('12:02:00'),
      missedCount: 0,
    })
    const events = await rows(db, sql`select kind, actor from job_events`)
    expect(events).toEqual([{ kind: 'created', actor: 'schedule:nightly' }])
  })

  it('has one run for a time, however many dispatchers look', async () => {
    const db = await openOwn()
    await givenSchedule(db)

    for (let minute = 1; minute <= 5; minute += 1) {
      const now = on(`12:0${minute}:00`)
      const steps = await Promise.all(Array.from({ length: 6 }, () => runSchedule(db, 'nightly', now)))
      expect(steps.filter((step) => step !== null)).toHaveLength(1)
      await finish(db, `nightly-20260302T120${minute}00Z`, now)
    }

    expect(await read(db)).toMatchObject({ runCount: 5, skippedCount: 0, missedCount: 0 })
    expect(await jobsIn(db)).toHaveLength(5)
  })

  it('leaves nothing of a run whose transaction is lost', async () => {
    const db = await openOwn()
    await givenSchedule(db)

    const lost = db.transaction(async (tx) => {
      await runSchedule(tx, 'nightly', on('12:01:00'))
      throw new Error('lost')
    })

    await expect(lost).rejects.toThrow('lost')
    expect([await jobsIn(db), (await read(db)).runCount]).toEqual([[], 0])
    expect(await pass(db, on('12:01:01'))).toHaveLength(1)
  })

  it('is not held up by another one whose run fails', async () => {
    const db = await openOwn()
    await givenSchedule(db, { scheduleId: 'a' })
    await givenSchedule(db, { scheduleId: 'b' })
    await rows(db, sql`alter table jobs add check (schedule_id <> 'a')`)

    const ids = await findDueSchedules(db, { limit: 10 }, on('12:01:00'))

    expect(ids).toEqual(['a', 'b'])
    await expect(runSchedule(db, 'a', on('12:01:00'))).rejects.toThrow()
    expect(await runSchedule(db, 'b', on('12:01:00'))).toMatchObject({ job: { scheduleId: 'b' } })
  })

  it('skips a time whose job id is taken', async () => {
    const db = await openOwn()
    await givenSchedule(db)
    await pass(db, on('12:01:00'))
    await finish(db, 'nightly-20260302T120100Z', on('12:01:00'))
    await rows(db, sql`update schedules set next_at = next_at - interval '1 minute' returning schedule_id`)

    const [step] = await pass(db, on('12:01:30'))

    expect(step).toMatchObject({ job: null, skipped: on('12:01:00') })
    expect(await read(db)).toMatchObject({ runCount: 1, skippedCount: 1, nextTime: on('12:02:00') })
  })

  it('ends after its last run, and at its end', async () => {
    const db = await openOwn()
    await givenSchedule(db, { maxRuns: 1 })
    await givenSchedule(db, { scheduleId: 'short', endAt: on('12:01:30') })

    await pass(db, on('12:01:00'))

    expect(await read(db)).toMatchObject({ runCount: 1, nextTime: null })
    expect(await readSchedule(db, 'short')).toMatchObject({ runCount: 1, nextTime: null })
    expect(await pass(db, on('13:00:00'))).toEqual([])
  })
})

describe('R83 when the run before has not ended', () => {
  it('skip leaves the run out, and counts it', async () => {
    const db = await openOwn()
    await givenSchedule(db)
    await pass(db, on('12:01:00'))

    expect(await pass(db, on('12:02:00'))).toMatchObject([{ job: null, skipped: on('12:02:00') }])
    expect(await read(db)).toMatchObject({ runCount: 1, skippedCount: 1, lastSkippedTime: on('12:02:00') })
    await finish(db, 'nightly-20260302T120100Z', on('12:02:30'))
    expect(await pass(db, on('12:03:00'))).toMatchObject([{ job: { jobId: 'nightly-20260302T120300Z' } }])
  })

  it('queue makes the job when the run before has ended; a second one is skipped', async () => {
    const db = await openOwn()
    await givenSchedule(db, { overlap: 'queue', maxRuns: 3 })
    await pass(db, on('12:01:00'))

    expect(await pass(db, on('12:02:00'))).toMatchObject([{ job: null, queued: on('12:02:00') }])
    expect(await pass(db, on('12:03:00'))).toMatchObject([{ job: null, queued: null, skipped: on('12:03:00') }])
    expect(await pass(db, on('12:03:10'))).toEqual([])
    await finish(db, 'nightly-20260302T120100Z', on('12:03:20'))
    expect(await pass(db, on('12:03:21'))).toMatchObject([{ job: { jobId: 'nightly-20260302T120200Z' } }])

    expect(await read(db)).toMatchObject({ runCount: 2, skippedCount: 1, waitingTime: null, nextTime: on('12:04:00') })
    // The last one that it may make waits: no time comes after it.
    await pass(db, on('12:04:00'))
    expect(await read(db)).toMatchObject({ waitingTime: on('12:04:00'), nextTime: null })
    await finish(db, 'nightly-20260302T120200Z', on('12:04:20'))
    await pass(db, on('12:04:21'))
    expect(await read(db)).toMatchObject({ runCount: 3, waitingTime: null, nextTime: null })
  })

  it('cancelPrevious cancels it, in the transaction that makes the next', async () => {
    const db = await openOwn()
    await givenSchedule(db, { overlap: 'cancelPrevious' })
    await pass(db, on('12:01:00'))

    const [step] = await pass(db, on('12:02:00'))

    expect(step).toMatchObject({
      job: { jobId: 'nightly-20260302T120200Z' },
      cancelled: { jobId: 'nightly-20260302T120100Z', status: 'cancelled' },
    })
    expect(await jobsIn(db)).toEqual(['nightly-20260302T120100Z cancelled', 'nightly-20260302T120200Z queued'])
    const events = await rows(db, sql`select kind, actor from job_events where kind = 'cancelled'`)
    expect(events).toEqual([{ kind: 'cancelled', actor: 'schedule:nightly' }])
  })
})

describe('R83 cancelPrevious, when the run before is paused', () => {
  it('leaves the run out and counts it, so that the pause can be undone', async () => {
    const db = await openOwn()
    await givenSchedule(db, { overlap: 'cancelPrevious' })
    const [first] = await pass(db, on('12:01:00'))
    const key = first?.job?.key ?? jobKey('')
    expect(await pauseJob(db, key, { asker: hubItself, reason: null }, on('12:01:30'))).toBe(true)

    expect(await pass(db, on('12:02:00'))).toMatchObject([{ job: null, cancelled: null, skipped: on('12:02:00') }])

    expect(await read(db)).toMatchObject({ runCount: 1, skippedCount: 1, nextTime: on('12:03:00') })
    expect(await resumeJob(db, key, { asker: hubItself }, on('12:02:30'))).toBe(true)
    expect(await pass(db, on('12:03:00'))).toMatchObject([{ cancelled: { jobId: 'nightly-20260302T120100Z' } }])
  })

  it('leaves the job of a stop to be resumed with it', async () => {
    const db = await openOwn()
    await givenSchedule(db, { overlap: 'cancelPrevious' })
    await pass(db, on('12:01:00'))
    await stopJobs(db, { asker: hubItself, reason: null, type: null, jobIdPrefix: null }, on('12:01:30'))

    await pass(db, on('12:02:00'))

    expect(await jobsIn(db)).toEqual(['nightly-20260302T120100Z queued'])
  })
})

describe('R84 times that passed while no dispatcher was there', () => {
  it('are missed when a minute has passed since the last, and are counted', async () => {
    const db = await openOwn()
    const hourly = { kind: 'cron', cron: '0 * * * *', timeZone: 'UTC' } as const
    await givenSchedule(db, { rhythm: hourly })

    const [step] = await pass(db, on('15:01:01'))

    expect(step).toMatchObject({ job: null, missedCount: 3, lastMissed: on('15:00:00') })
    expect(await jobsIn(db)).toEqual([])
    expect(await read(db)).toMatchObject({
      missedCount: 3,
      lastMissedTime: on('15:00:00'),
      nextTime: on('16:00:00'),
      runCount: 0,
    })
  })

  it('have one run when the last is a minute old at most', async () => {
    const db = await openOwn()
    await givenSchedule(db)

    expect(await pass(db, on('12:05:30'))).toMatchObject([
      { job: { jobId: 'nightly-20260302T120500Z' }, missedCount: 4, lastMissed: on('12:04:00') },
    ])
  })

  it('have a late run with catchUp last, whose window begins when it is made', async () => {
    const db = await openOwn()
    await givenSchedule(db, { rhythm: { kind: 'every', seconds: 3600 }, catchUp: 'last' })

    const [step] = await pass(db, on('14:45:00'))

    expect(step).toMatchObject({ job: { jobId: 'nightly-20260302T140000Z' }, missedCount: 1 })
    const windows = await rows<{ deadline_at: string }>(db, sql`select deadline_at::text from jobs`)
    expect(windows).toEqual([{ deadline_at: '2026-03-02 14:55:00+00' }])
  })

  it.each([everyMinute, everyMinuteByCron])(
    'are counted exactly also after days, in steps of 1000: %j',
    async (rhythm) => {
      const db = await openOwn()
      await givenSchedule(db, { rhythm })
      const now = new Date('2026-03-04T12:00:30Z')

      const steps = [...(await pass(db, now)), ...(await pass(db, now)), ...(await pass(db, now))]

      expect(steps.map((step) => step?.missedCount)).toEqual([1000, 1000, 879])
      expect(await jobsIn(db)).toEqual(['nightly-20260304T120000Z queued'])
      expect(await pass(db, now)).toEqual([])
    },
  )
})

describe('R85 a schedule that is put again', () => {
  it('keeps its counts and the times of its rhythm, and its jobs stay as they are', async () => {
    const db = await openOwn()
    await givenSchedule(db)
    await pass(db, on('12:01:00'))

    const again = await givenSchedule(db, { job: { ...job, maxExecutionTimeInSeconds: 60 } }, on('12:01:30'))

    expect(again).toMatchObject({
      runCount: 1,
      nextTime: on('12:02:00'),
      createdTime: noon,
      updatedTime: on('12:01:30'),
      lastJobId: 'nightly-20260302T120100Z',
    })
    expect(await readJob(db, 'nightly-20260302T120100Z')).toMatchObject({ maxExecutionTimeInSeconds: 600 })
  })

  it('loses no run that is due at that moment', async () => {
    const db = await openOwn()
    await givenSchedule(db)

    const again = await givenSchedule(db, { rhythm: { kind: 'every', seconds: 3600 } }, on('12:01:00.500'))

    expect(again.nextTime).toEqual(on('12:01:00'))
    expect(await pass(db, on('12:01:01'))).toMatchObject([{ job: { jobId: 'nightly-20260302T120100Z' } }])
    expect((await read(db)).nextTime).toEqual(on('13:00:00'))
  })

  it('has no further run when it has made all of them', async () => {
    const db = await openOwn()
    await givenSchedule(db)
    await pass(db, on('12:01:00'))

    expect((await givenSchedule(db, { maxRuns: 1 }, on('12:01:30'))).nextTime).toBeNull()
    expect((await givenSchedule(db, { maxRuns: 2 }, on('12:01:40'))).nextTime).toEqual(on('12:02:00'))
  })

  it('never comes when no time lies ahead', async () => {
    const db = await openOwn()
    const never: Rhythm = { kind: 'cron', cron: '0 0 30 2 *', timeZone: 'UTC' }

    expect(await putSchedule(db, draft({ rhythm: never }), null, noon)).toEqual({ kind: 'never' })
    expect(await putSchedule(db, draft({ endAt: on('12:00:30') }), null, noon)).toEqual({ kind: 'never' })
  })

  it('waits for a run that is being made', async () => {
    const db = await openOwn()
    await givenSchedule(db)

    const [put, step] = await Promise.all([
      putSchedule(db, draft({ maxRuns: 5 }), null, on('12:01:00')),
      runSchedule(db, 'nightly', on('12:01:00')),
      runSchedule(db, 'nightly', on('12:01:00')),
    ])

    expect(put.kind).toBe('put')
    expect(step === null ? 1 : 0).toBeLessThanOrEqual(1)
    await pass(db, on('12:01:01'))
    expect(await read(db)).toMatchObject({ runCount: 1, maxRuns: 5, nextTime: on('12:02:00') })
  })
})

it('R86 a hub has 1000 schedules at most, also when they are put at once', async () => {
  const db = await openOwn()
  await givenSchedule(db)
  await rows(
    db,
    sql`
    insert into schedules
    select (jsonb_populate_record(s, jsonb_build_object('schedule_id', 'copy-' || n))).*
      from schedules s, generate_series(1, ${limits.schedules - 2}) n
    returning schedule_id`,
  )

  const puts = await Promise.all(
    ['x1', 'x2', 'x3'].map((scheduleId) => putSchedule(db, draft({ scheduleId }), null, noon)),
  )

  expect(puts.map(({ kind }) => kind).sort()).toEqual(['full', 'full', 'put'])
  expect((await givenSchedule(db, { maxRuns: 3 })).maxRuns).toBe(3)
  const page = await listSchedules(db, { limit: 1000, after: null, write: ({ scheduleId }) => `"${scheduleId}"` })
  expect([page.items.length, page.continuation]).toEqual([limits.schedules, null])
})

it('R80 a deleted schedule makes no job any more, and its jobs go on', async () => {
  const db = await openOwn()
  await givenSchedule(db)
  await pass(db, on('12:01:00'))

  expect([await deleteSchedule(db, 'nightly'), await deleteSchedule(db, 'nightly')]).toEqual([true, false])

  expect(await pass(db, on('12:02:00'))).toEqual([])
  expect(await jobsIn(db)).toEqual(['nightly-20260302T120100Z queued'])
})
