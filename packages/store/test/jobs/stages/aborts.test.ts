import type { Extensions, Job } from '@muster/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { resumeJob } from '../../../src/jobs/rollout/pause.ts'
import { advanceStages } from '../../../src/jobs/stages/advance-stages.ts'
import type { Db } from '../../../src/postgres/sql.ts'
import { claim, counts, execute, givenJob, noon, openStore, read, start } from '../engine.ts'
import { eventsOf, givenStagedJob, type Work, workOff } from './staged.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

const asker = { actor: 'policy:owner', clientAddress: '10.0.0.1' }
const devices = Array.from({ length: 60 }, (_, no) => `device-${no}`)
type Criteria = NonNullable<Extensions['abort']>['criteria']

describe('R23 a criterion of a job', () => {
  it('pauses the job, with exact numbers, once', async () => {
    const job = await givenCriteria([{ failureType: 'all', thresholdPercentage: 25, minNumberOfExecuted: 40 }])
    await claimFirst(job, 40, 12)

    const first = await advance(job)
    const whilePaused = await claim(db, job.key)
    await resumeJob(db, job.key, { asker }, noon)
    const again = await advance(job)

    expect([first, whilePaused, again]).toEqual([{ kind: 'paused' }, null, null])
    expect(await reasonsOf(job)).toEqual(['12 of 40 devices failed, 30.00 %; at 25 % the job stops'])
    expect(await workOff(db, job)).toHaveLength(20)
  })

  it('cancels the job if it says so: the devices that have not started are canceled', async () => {
    const criterion = { failureType: 'all', thresholdPercentage: 30, minNumberOfExecuted: 1, action: 'cancel' } as const
    const job = await givenCriteria([criterion])
    await claimFirst(job, 40, 12)

    const advanced = await advance(job)

    const reason = '12 of 40 devices failed, 30.00 %; at 30 % the job stops'
    expect(advanced).toMatchObject({ kind: 'cancelled', job: { status: 'cancelled', failureReason: reason } })
    expect(await counts(db, job)).toEqual([60, 28, 12, 0, 0, 20])
    expect(await eventsOf(db, job, ['cancelled', 'paused'])).toEqual([
      { kind: 'cancelled', actor: null, reason, counts: [60, 28, 12, 0, 20] },
    ])
    expect((await read(db, job)).failureReason).toBe(reason)
  })

  it.each([
    ['is below its percentage', { thresholdPercentage: 30.01, minNumberOfExecuted: 1 }],
    ['has too few devices that have ended', { thresholdPercentage: 1, minNumberOfExecuted: 41 }],
  ])('does nothing while it %s', async (_, numbers) => {
    const job = await givenCriteria([{ failureType: 'all', ...numbers }])
    await claimFirst(job, 40, 12)

    expect(await advance(job)).toBeNull()
  })

  it('is of the devices that have ended, not of the target set', async () => {
    const job = await givenCriteria([{ failureType: 'all', thresholdPercentage: 100, minNumberOfExecuted: 1 }])
    await claimFirst(job, 20, 20)

    await advance(job)

    expect(await reasonsOf(job)).toEqual(['20 of 20 devices failed, 100.00 %; at 100 % the job stops'])
  })

  it.each([
    ['all', '12 of 40 devices failed'],
    ['timedOut', '4 of 40 devices timed out'],
    ['rejected', '4 of 40 devices were rejected'],
    ['failed', '4 of 40 devices failed, without those that timed out or were rejected'],
  ] as const)('counts the failures of its type: %s', async (failureType, words) => {
    const job = await givenCriteria([{ failureType, thresholdPercentage: 5, minNumberOfExecuted: 1 }])
    await claimFirst(job, 40, 12, ['GatewayTimeout', 'GenericBadGateway', 'DeviceConnectionClosedRemotely'])

    await advance(job)

    const share = failureType === 'all' ? '30.00' : '10.00'
    expect(await reasonsOf(job)).toEqual([`${words}, ${share} %; at 5 % the job stops`])
  })

  it('of a type does nothing when only others fail', async () => {
    const job = await givenCriteria([{ failureType: 'rejected', thresholdPercentage: 5, minNumberOfExecuted: 1 }])
    await claimFirst(job, 40, 12, ['GatewayTimeout'])

    expect(await advance(job)).toBeNull()
  })

  it('stops a twin job too', async () => {
    const criteria = [{ failureType: 'rejected' as const, thresholdPercentage: 10, minNumberOfExecuted: 20 }]
    const job = await givenCriteria(criteria, { type: 'scheduleUpdateTwin' })
    const error = { code: 'ArgumentInvalid', description: 'it would be too large' } as const
    await execute(db, job.key, (ids) => ids.slice(0, 2).map((deviceId) => ({ deviceId, error })))

    await advance(job)

    expect(await reasonsOf(job)).toEqual(['2 of 20 devices were rejected, 10.00 %; at 10 % the job stops'])
    expect(await execute(db, job.key)).toBeNull()
  })
})

describe('R24 several criteria at once', () => {
  const numbers = { thresholdPercentage: 20, minNumberOfExecuted: 1 }

  it('pause the job once, and none of them again', async () => {
    const job = await givenCriteria([
      { failureType: 'all', ...numbers },
      { failureType: 'timedOut', ...numbers },
      { failureType: 'rejected', ...numbers },
    ])
    await claimFirst(job, 40, 12)

    await advance(job)
    await resumeJob(db, job.key, { asker }, noon)

    expect(await advance(job)).toBeNull()
    expect(await reasonsOf(job)).toEqual([
      '12 of 40 devices failed, 30.00 %; at 20 % the job stops. 12 of 40 devices timed out, 30.00 %; at 20 % the job stops',
    ])
  })

  it('cancel the job if one of them does', async () => {
    const job = await givenCriteria([
      { failureType: 'all', ...numbers },
      { failureType: 'timedOut', ...numbers, action: 'cancel' },
    ])
    await claimFirst(job, 40, 12)

    expect((await advance(job))?.kind).toBe('cancelled')
  })

  it('stop the job one after the other, each when its time has come', async () => {
    const job = await givenCriteria([
      { failureType: 'all', thresholdPercentage: 20, minNumberOfExecuted: 20 },
      { failureType: 'all', thresholdPercentage: 20, minNumberOfExecuted: 40 },
    ])
    await claimFirst(job, 20, 12)
    const first = await advance(job)
    await resumeJob(db, job.key, { asker }, noon)
    await claimFirst(job, 20, 0)

    expect([first?.kind, (await advance(job))?.kind]).toEqual(['paused', 'paused'])
  })

  it('stop it once when many look at once', async () => {
    const job = await givenCriteria([{ failureType: 'all', ...numbers, action: 'cancel' }])
    await claimFirst(job, 40, 12)

    const advances = await Promise.all(Array.from({ length: 8 }, () => advance(job)))

    expect(advances.filter((one) => one !== null)).toHaveLength(1)
    expect(await eventsOf(db, job, ['cancelled'])).toHaveLength(1)
  })
})

describe('R25 a stage that fails', () => {
  it('pauses its job, and counts only its own devices', async () => {
    const stages = [{ size: 20 }, { size: 20, abort: { failurePercent: 10, minEnded: 20 } }, {}]
    const job = await givenStagedJob(db, { stages }, { devices })
    await workOff(db, job, { fail: 20 })
    await advance(job)
    await workOff(db, job, { fail: 3 })

    const advanced = await advance(job)
    await resumeJob(db, job.key, { asker }, noon)

    expect(advanced).toEqual({ kind: 'paused' })
    expect(await reasonsOf(job)).toEqual(['Stage 1: 3 of 20 devices failed, 15.00 %; at 10 % the job stops'])
    // Whoever resumes it wants it to go on: the gate of the stage is still asked.
    expect((await advance(job))?.kind).toBe('opened')
  })

  it('goes by a number of devices, and by their codes', async () => {
    const abort = {
      failureCount: 3,
      codes: ['GatewayTimeout' as const, 'ServerError' as const],
      action: 'cancel' as const,
    }
    const job = await givenStagedJob(db, { stages: [{ size: 20, abort }, {}] }, { devices, chunkSize: 5 })
    await claimFirst(job, 5, 4, ['GatewayTimeout', 'DeviceNotFound'])
    const early = await advance(job)
    await claimFirst(job, 5, 1, ['ServerError'])

    const advanced = await advance(job)

    expect(early).toBeNull()
    expect(advanced?.kind).toBe('cancelled')
    expect((await read(db, job)).failureReason).toBe(
      'Stage 0: 3 of 10 devices failed with GatewayTimeout or ServerError; at 3 the job stops',
    )
  })

  it('opens no other stage, even if its gate would', async () => {
    const stages = [{ size: 20, successThreshold: 50, abort: { failureCount: 5 } }, {}]
    const job = await givenStagedJob(db, { stages }, { devices })
    await workOff(db, job, { fail: 5 })

    expect(await advance(job)).toEqual({ kind: 'paused' })
    expect(await eventsOf(db, job, ['stage'])).toEqual([])
  })

  it('is still looked at when a later one is open', async () => {
    const stages = [{ size: 20, successThreshold: 50, abort: { failureCount: 5 } }, {}]
    const job = await givenStagedJob(db, { stages }, { devices, chunkSize: 10 })
    await claimFirst(job, 10, 0)
    await advance(job)
    await claimFirst(job, 10, 5)

    expect(await advance(job)).toEqual({ kind: 'paused' })
    expect(await reasonsOf(job)).toEqual(['Stage 0: 5 of 20 devices failed; at 5 the job stops'])
  })
})

async function advance(job: Job) {
  return advanceStages(db, job.key, noon)
}

/** A job of sixty devices, in chunks of twenty. */
async function givenCriteria(criteria: Criteria, request: Parameters<typeof givenJob>[1] = {}): Promise<Job> {
  const job = await givenJob(db, { devices, ...request, extensions: { abort: { criteria } } })
  await start(db, job.key, { chunkSize: 20 })
  return job
}

/** So many devices end, and of these so many fail. */
async function claimFirst(job: Job, count: number, fail: number, codes: Work['codes'] = ['GatewayTimeout']) {
  const worked = await workOff(db, job, { fail, most: count, codes })
  expect(worked).toHaveLength(count)
}

async function reasonsOf(job: Job): Promise<unknown[]> {
  const events = await eventsOf(db, job, ['paused'])
  return events.map((event) => (typeof event === 'object' && event !== null ? Reflect.get(event, 'reason') : null))
}
