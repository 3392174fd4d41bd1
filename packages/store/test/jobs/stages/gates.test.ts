import type { Job, StageRequest } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cancelJob, completeJob } from '../../../src/jobs/jobs.ts'
import { pauseJob, resumeJob } from '../../../src/jobs/rollout/pause.ts'
import { changeDevices } from '../../../src/jobs/selected/change-devices.ts'
import { advanceStages } from '../../../src/jobs/stages/advance-stages.ts'
import { openNextStage } from '../../../src/jobs/stages/open-stage.ts'
import { findWatchedJobs } from '../../../src/jobs/sweeps/find-watched-jobs.ts'
import { type Db, rows } from '../../../src/postgres/sql.ts'
import { claim, counts, givenJob, givenRunningJob, noon, on, openStore, read } from '../engine.ts'
import { devicesByStage, eventsOf, givenStagedJob, stageRows, workOff, workOffOne } from './staged.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

const asker = { actor: 'policy:owner', clientAddress: '10.0.0.1' }
const hundred = { devices: Array.from({ length: 100 }, (_, no) => `device-${no}`) }

describe('R16 a gate', () => {
  it('without a threshold opens when every device of the stages so far has ended, well or not', async () => {
    const job = await givenStagedJob(db, { stages: [{ size: 3 }, {}] }, { ...hundred, chunkSize: 2 })

    await workOffOne(db, job)
    const early = await advance(job)
    const worked = await workOff(db, job, { fail: 1 })
    const opened = await advance(job)

    expect(early).toBeNull()
    expect(opened).toEqual({ kind: 'opened', type: 'scheduleDeviceMethod', priority: 500 })
    expect(worked).toHaveLength(1)
    expect((await stageRows(db, job)).map(({ closed_at, reason }) => [closed_at !== null, reason])).toEqual([
      [true, null],
      [false, '2 of 3 devices of stage 0 succeeded, and 1 failed; none of the stages so far is open'],
    ])
    expect(await workOff(db, job)).toHaveLength(97)
    expect((await completeJob(db, job.key, noon))?.status).toBe('completed')
  })

  it('with a threshold opens as soon as so many of the stage have succeeded, and waits for no other', async () => {
    const stages = [{ size: 10, successThreshold: 66.67 }, {}]
    const job = await givenStagedJob(db, { stages }, { ...hundred, chunkSize: 1 })

    const openings = []
    for (let succeeded = 1; succeeded <= 7; succeeded += 1) {
      await workOffOne(db, job)
      openings.push((await advance(job))?.kind ?? null)
    }

    expect(openings).toEqual([null, null, null, null, null, null, 'opened'])
    expect((await stageRows(db, job))[1]?.reason).toBe(
      '7 of 10 devices of stage 0 succeeded, 70.00 %; the next stage needs 66.67 %',
    )
    expect(await workOff(db, job)).toHaveLength(93)
  })

  it('is told as an event, once, with the number of the stage and its devices', async () => {
    const job = await givenStagedJob(db, { stages: [{ size: '1%' }, {}] }, hundred)
    await workOff(db, job)

    for (let times = 0; times < 3; times += 1) await advance(job)

    expect(await eventsOf(db, job, ['stage'])).toEqual([
      {
        kind: 'stage',
        actor: null,
        stageNo: 1,
        deviceCount: 99,
        reason: '1 of 1 devices of stage 0 succeeded, and 0 failed; none of the stages so far is open',
      },
    ])
  })

  it('waits for the devices of earlier stages too, if it has no threshold', async () => {
    const stages = [{ size: 2, successThreshold: 50 }, { size: 1 }, {}]
    const job = await givenStagedJob(db, { stages }, { ...hundred, chunkSize: 1 })
    await workOffOne(db, job)
    await advance(job)
    // The rest of the first stage stays behind: the later stage is worked off before it.
    await rows(
      db,
      sql`update chunks set status = 'held' where job_key = ${job.key} and chunk_no = 1 returning chunk_no`,
    )
    await workOff(db, job)
    const early = await advance(job)
    await rows(
      db,
      sql`update chunks set status = 'ready' where job_key = ${job.key} and chunk_no = 1 returning chunk_no`,
    )
    await workOff(db, job)

    expect(early).toBeNull()
    expect((await advance(job))?.kind).toBe('opened')
  })

  it('passes over empty stages, which open and close with it', async () => {
    const stages = [{ size: 1 }, { condition: 'tags.x = 1' }, { condition: 'tags.x = 2' }, {}]
    const job = await givenStagedJob(db, { stages }, hundred)
    await workOff(db, job)

    await advance(job)

    const shown = (await stageRows(db, job)).map(({ opened_at, closed_at }) => [opened_at !== null, closed_at !== null])
    expect(shown).toEqual([
      [true, true],
      [true, true],
      [true, true],
      [true, false],
    ])
    expect(await workOff(db, job)).toHaveLength(99)
  })

  it('leaves devices out that were skipped', async () => {
    const job = await givenStagedJob(
      db,
      { stages: [{ size: 4, successThreshold: 100 }, {}] },
      { ...hundred, chunkSize: 3 },
    )
    const [first = []] = await devicesByStage(db, job)
    await workOffOne(db, job)
    const early = await advance(job)
    const selection = { deviceIds: first.slice(3), statuses: null, errorCodes: null }

    await changeDevices(db, job.jobId, { action: 'skip', selection, asker }, noon)

    expect(early).toBeNull()
    expect((await advance(job))?.kind).toBe('opened')
    expect((await stageRows(db, job))[1]?.reason).toBe(
      '3 of 3 devices of stage 0 succeeded, 100.00 %; the next stage needs 100 %',
    )
  })

  it('with nothing but empty stages behind it leaves the job to its end', async () => {
    const stages = [{ size: 100, successThreshold: 100 }, { condition: 'tags.x = 1' }, {}]
    const job = await givenStagedJob(db, { stages }, hundred)
    await workOff(db, job, { fail: 1 })

    expect(await advance(job)).toBeNull()
    expect((await completeJob(db, job.key, noon))?.status).toBe('completed')
  })

  it.each([
    ['is paused', async (job: Job) => pauseJob(db, job.key, { asker, reason: 'lunch' }, noon)],
    ['has ended', async (job: Job) => cancelJob(db, job.jobId, noon)],
  ])('of a job that %s stays shut', async (_, change) => {
    const job = await givenStagedJob(db, { stages: [{ size: 1 }, {}] }, hundred)
    await workOff(db, job)
    await change(job)

    expect(await advance(job)).toBeNull()
    expect((await stageRows(db, job))[1]?.opened_at).toBeNull()
  })

  it('stays shut after the end of the window', async () => {
    const request = { ...hundred, maxExecutionTimeInSeconds: 60 }
    const job = await givenStagedJob(db, { stages: [{ size: 1 }, {}] }, request)
    await workOff(db, job)

    expect(await advance(job, on('12:01:00'))).toBeNull()
  })
})

describe('R17 a gate that cannot be reached', () => {
  const stages = [{ size: 40, successThreshold: 95 }, {}]
  const reason = '36 of 40 devices of stage 0 succeeded, 90.00 %, and all have ended; the next stage needs 95 %'

  it('pauses the job, with the exact numbers', async () => {
    const job = await givenStagedJob(db, { stages }, hundred)
    await workOff(db, job, { fail: 4 })

    const advances = [await advance(job), await advance(job)]

    expect(advances).toEqual([{ kind: 'paused' }, null])
    expect(await eventsOf(db, job, ['paused', 'stage'])).toEqual([{ kind: 'paused', actor: null, reason }])
    expect(await claim(db, job.key)).toBeNull()
  })

  it('pauses it again if it is resumed and nothing has changed', async () => {
    const job = await givenStagedJob(db, { stages }, hundred)
    await workOff(db, job, { fail: 4 })
    await advance(job)

    await resumeJob(db, job.key, { asker }, noon)

    expect(await advance(job)).toEqual({ kind: 'paused' })
  })

  it('waits as long as a device of the stage is open', async () => {
    const job = await givenStagedJob(db, { stages }, { ...hundred, chunkSize: 20 })
    await rows(
      db,
      sql`update chunks set status = 'held' where job_key = ${job.key} and chunk_no = 1 returning chunk_no`,
    )
    await workOff(db, job, { fail: 20 })

    expect(await advance(job)).toBeNull()
  })
})

describe('R16 R17 R18 R19 a stage whose devices were all skipped', () => {
  it('has no successes, so a threshold pauses the job', async () => {
    const job = await givenSkipped({ size: 4, successThreshold: 50, soakSeconds: 60, approval: 'manual' })

    expect([await advance(job), await advance(job)]).toEqual([{ kind: 'paused' }, null])
    const reason = 'all 4 devices of stage 0 were skipped; the next stage needs 50 % of those that were not'
    expect(await eventsOf(db, job, ['paused', 'stage'])).toEqual([{ kind: 'paused', actor: null, reason }])
  })

  it('soaks', async () => {
    const job = await givenSkipped({ size: 4, soakSeconds: 60 })

    const advances = []
    for (const time of ['12:00:10', '12:01:09', '12:01:10']) advances.push((await advance(job, on(time)))?.kind ?? null)

    expect(advances).toEqual([null, null, 'opened'])
  })

  it('waits for its approval', async () => {
    const job = await givenSkipped({ size: 4, approval: 'manual' })

    expect([await advance(job), await advance(job, on('12:59:59'))]).toEqual([null, null])
    expect((await stageRows(db, job))[1]?.opened_at).toBeNull()
  })

  it('has ended, if nothing else is asked for', async () => {
    const job = await givenSkipped({ size: 4 })

    expect((await advance(job))?.kind).toBe('opened')
    expect((await stageRows(db, job))[1]?.reason).toBe(
      '0 of 0 devices of stage 0 succeeded, and 0 failed; none of the stages so far is open',
    )
  })
})

describe('R18 a soak', () => {
  const stages = [{ size: 1, soakSeconds: 60 }, {}]

  it('begins when the devices have reached the gate, and opens it at its end', async () => {
    const job = await givenStagedJob(db, { stages }, hundred)
    await workOff(db, job)

    const advances = []
    for (const time of ['12:00:10', '12:00:11', '12:01:09', '12:01:10']) advances.push(await advance(job, on(time)))

    expect(advances.map((one) => one?.kind ?? null)).toEqual([null, null, null, 'opened'])
    expect((await stageRows(db, job))[0]?.met_at).toBe('2026-03-02 12:00:10+00')
  })

  it('stops while the job is paused', async () => {
    const job = await givenStagedJob(db, { stages }, hundred)
    await workOff(db, job)
    await advance(job)

    await pauseJob(db, job.key, { asker, reason: 'lunch' }, on('12:00:20'))
    await resumeJob(db, job.key, { asker }, on('12:10:20'))

    expect(await advance(job, on('12:10:59'))).toBeNull()
    expect((await advance(job, on('12:11:00')))?.kind).toBe('opened')
  })
})

describe('R19 an approval', () => {
  const stages = [{ size: 1, approval: 'manual' as const }, {}]

  it('is waited for, however long', async () => {
    const job = await givenStagedJob(db, { stages }, hundred)
    await workOff(db, job)

    const advances = [await advance(job), await advance(job, on('12:59:59'))]

    expect(advances).toEqual([null, null])
    expect((await stageRows(db, job))[0]?.met_at).toBe('2026-03-02 12:00:00+00')
  })

  it('opens the next stage', async () => {
    const job = await givenStagedJob(db, { stages }, hundred)
    await workOff(db, job)

    const answer = await openNextStage(db, job.jobId, asker, noon)

    expect(answer).toEqual({ kind: 'opened', key: job.key, type: job.type, priority: 500, isPaused: false })
    expect(await workOff(db, job)).toHaveLength(99)
  })
})

describe('R20 somebody who asks for the next stage', () => {
  it('gets it now, whatever the gate says', async () => {
    const stages = [{ size: 1, successThreshold: 100, soakSeconds: 3600 }, {}]
    const job = await givenStagedJob(db, { stages }, hundred)

    await openNextStage(db, job.jobId, asker, noon)

    expect(await workOff(db, job)).toHaveLength(100)
    expect(await eventsOf(db, job, ['stage'])).toEqual([
      { kind: 'stage', actor: 'policy:owner', stageNo: 1, deviceCount: 99, reason: 'asked for' },
    ])
  })

  it('resumes a job that its gate has paused', async () => {
    const job = await givenHeld()

    const answer = await openNextStage(db, job.jobId, asker, noon)

    expect(answer).toMatchObject({ kind: 'opened', isPaused: false })
    expect(await eventsOf(db, job, ['resumed'])).toEqual([{ kind: 'resumed', actor: 'policy:owner' }])
    expect(await workOff(db, job)).toHaveLength(96)
  })

  it('leaves a job paused that somebody else has paused', async () => {
    const job = await givenHeld()
    await resumeJob(db, job.key, { asker }, on('12:00:05'))
    await pauseJob(db, job.key, { asker, reason: 'lunch' }, on('12:00:06'))

    const answer = await openNextStage(db, job.jobId, asker, on('12:00:07'))

    expect(answer).toMatchObject({ kind: 'opened', isPaused: true })
    expect(await claim(db, job.key)).toBeNull()
  })

  it.each([
    ['has not started', async () => (await givenJob(db)).jobId, 'The job is queued, not running'],
    [
      'has no stages',
      async () => (await givenRunningJob(db, { devices: 2 })).jobId,
      'No stage of the job is left to open',
    ],
    ['is in its last stage', givenInLastStage, 'No stage of the job is left to open'],
    ['has ended', givenCancelled, 'The job is cancelled, not running'],
  ])('is refused when the job %s', async (_, given, reason) => {
    expect(await openNextStage(db, await given(), asker, noon)).toEqual({ kind: 'refused', reason })
  })

  it('is refused when the window is over', async () => {
    const job = await givenStagedJob(db, { stages: [{ size: 1 }, {}] }, hundred)

    expect((await openNextStage(db, job.jobId, asker, on('13:00:00'))).kind).toBe('refused')
  })

  it('is refused when the job is paused and nothing is left of its window', async () => {
    const job = await givenStagedJob(db, { stages: [{ size: 1 }, {}] }, hundred)
    await pauseJob(db, job.key, { asker, reason: 'lunch' }, noon)
    await rows(db, sql`update jobs set window_left = '0' where job_key = ${job.key} returning job_key`)

    expect((await openNextStage(db, job.jobId, asker, noon)).kind).toBe('refused')
  })

  it('is told when there is no such job', async () => {
    expect(await openNextStage(db, 'nothing', asker, noon)).toEqual({ kind: 'missing' })
  })
})

describe('R21 a gate opens once', () => {
  it('when many look at it at once', async () => {
    const job = await givenStagedJob(db, { stages: [{ size: 1 }, { size: 1 }, {}] }, hundred)
    await workOff(db, job)

    const advances = await Promise.all(Array.from({ length: 8 }, () => advance(job)))

    expect(advances.filter((one) => one !== null)).toHaveLength(1)
    expect(await eventsOf(db, job, ['stage'])).toHaveLength(1)
    expect((await stageRows(db, job)).map(({ opened_at }) => opened_at !== null)).toEqual([true, true, false])
  })

  it('when many ask for the next stage at once, or it opens by itself', async () => {
    const job = await givenStagedJob(db, { stages: [{ size: 1 }, { size: 1 }, {}] }, hundred)
    await workOff(db, job)

    await Promise.all(
      Array.from({ length: 4 }, async () => [await openNextStage(db, job.jobId, asker, noon), await advance(job)]),
    )

    const opened = (await stageRows(db, job)).filter(({ opened_at }) => opened_at !== null).length
    expect(await eventsOf(db, job, ['stage'])).toHaveLength(opened - 1)
    expect(await workOff(db, job)).toHaveLength(opened === 2 ? 1 : 99)
  })

  it('when the process that opens it dies before the end', async () => {
    const job = await givenStagedJob(db, { stages: [{ size: 1 }, {}] }, hundred)
    await workOff(db, job)

    const killed = db.transaction(async (tx) => {
      await advanceStages(tx, job.key, noon)
      throw new Error('the process is gone')
    })
    await expect(killed).rejects.toThrow('the process is gone')

    expect(await eventsOf(db, job, ['stage'])).toEqual([])
    expect((await advance(job))?.kind).toBe('opened')
  })

  it('while somebody holds the row of the job, and nobody waits for that', async () => {
    const job = await givenStagedJob(db, { stages: [{ size: 1 }, {}] }, hundred)
    await workOff(db, job)

    const meanwhile = await db.transaction(async (tx) => {
      await rows(tx, sql`select job_key from jobs where job_key = ${job.key} for update`)
      return advance(job)
    })

    expect(meanwhile).toBeNull()
    expect((await advance(job))?.kind).toBe('opened')
  })
})

it('R22 the jobs with gates or conditions are found, as long as they run and are not paused', async () => {
  await using own = await openStore()
  const staged = await givenStagedJob(own.db, { stages: [{ size: 1 }, {}] })
  const other = await givenStagedJob(own.db, { stages: [{ size: 1 }, {}] })
  await givenRunningJob(own.db, { devices: 1 })
  const found = () => findWatchedJobs(own.db, { limit: 1, after: null }, noon)

  const first = await found()
  await pauseJob(own.db, staged.key, { asker, reason: 'lunch' }, noon)
  const second = await found()
  await cancelJob(own.db, other.jobId, noon)

  expect([first, second, await found()]).toEqual([
    { watched: [staged.key], last: staged.key },
    { watched: [other.key], last: other.key },
    { watched: [], last: null },
  ])
})

it('R22 the devices of stages that never opened are canceled with their job', async () => {
  const job = await givenStagedJob(db, { stages: [{ size: 1 }, {}] }, hundred)
  await workOff(db, job)

  await cancelJob(db, job.jobId, noon)

  expect(await counts(db, job)).toEqual([100, 1, 0, 0, 0, 99])
  expect((await devicesByStage(db, job)).map(({ length }) => length)).toEqual([1, 99])
  expect((await read(db, job)).status).toBe('cancelled')
})

async function advance(job: Job, now = noon) {
  return advanceStages(db, job.key, now)
}

/** All devices of its first stage were skipped. */
async function givenSkipped(stage: StageRequest): Promise<Job> {
  const job = await givenStagedJob(db, { stages: [stage, {}] }, hundred)
  const [deviceIds = []] = await devicesByStage(db, job)
  const selection = { deviceIds, statuses: null, errorCodes: null }
  await changeDevices(db, job.jobId, { action: 'skip', selection, asker }, noon)
  return job
}

/** A job whose gate has paused it. */
async function givenHeld(): Promise<Job> {
  const job = await givenStagedJob(db, { stages: [{ size: 4, successThreshold: 100 }, {}] }, hundred)
  await workOff(db, job, { fail: 1 })
  await advance(job)
  return job
}

async function givenInLastStage(): Promise<string> {
  const job = await givenStagedJob(db, { stages: [{ size: 1 }, {}] }, hundred)
  await openNextStage(db, job.jobId, asker, noon)
  return job.jobId
}

async function givenCancelled(): Promise<string> {
  const job = await givenStagedJob(db, { stages: [{ size: 1 }, {}] }, hundred)
  await cancelJob(db, job.jobId, noon)
  return job.jobId
}
