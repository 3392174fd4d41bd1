import { type ExponentialRate, type Job, jsonText } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ClaimedChunk, claimChunk, readRunningJob } from '../../../src/jobs/chunks.ts'
import { claimDueDeviceJobs } from '../../../src/jobs/device-jobs.ts'
import { isNotNow } from '../../../src/jobs/rollout/permission.ts'
import { raiseRates } from '../../../src/jobs/sweeps/raise-rates.ts'
import { type Db, rows } from '../../../src/postgres/sql.ts'
import { deviceNames, givenJob, givenLease, noon, openStore, recordFirstAttempts, start, worker } from '../engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

const notified = (every: number) => ({ numberOfNotifiedThings: every })
const succeeded = (every: number) => ({ numberOfSucceededThings: every })
const after = (ms: number) => new Date(noon.getTime() + ms)

async function givenRamp(
  devices: number,
  exponentialRate: ExponentialRate,
  maximumPerMinute: number,
  own = db,
): Promise<Job> {
  const job = await givenJob(own, {
    devices: deviceNames(devices),
    extensions: { rollout: { maximumPerMinute, exponentialRate } },
  })
  await start(own, job.key)
  return job
}

/** Null: the rate forbids it now, or nothing is ready. */
async function take(job: Job, now: Date, own = db): Promise<ClaimedChunk | null> {
  await givenLease(own, worker, now)
  const running = await readRunningJob(own, job.key)
  const claimed = running === null ? null : await claimChunk(own, running, worker, now)
  return claimed === null || isNotNow(claimed) ? null : claimed
}

async function rateOf({ key }: Job, own = db): Promise<number> {
  const [row] = await rows<{ rate: number }>(own, sql`select rate from jobs where job_key = ${key}`)
  return row?.rate ?? 0
}

describe('R32 a rate that rises with the calls', () => {
  it('follows its curve within a tenth of the time, and ends at its maximum', async () => {
    const job = await givenRamp(
      200,
      { baseRatePerMinute: 60, incrementFactor: 2, rateIncreaseCriteria: notified(30) },
      600,
    )
    const times: number[] = []
    const rates = new Set<number>()

    for (let ms = 0; times.length < 200; ms += 50) {
      for (let claimed = await take(job, after(ms)); claimed !== null; claimed = await take(job, after(ms))) {
        times.push(...claimed.deviceIds.map(() => ms / 1_000))
      }
      rates.add(await rateOf(job))
    }

    // Thirty devices at 60, 120, 240 and 480 a minute, and then 600.
    const curve = [30, 45, 52.5, 56.25, 59.25]
    const reached = curve.map((_, step) => times[30 * (step + 1)] ?? 0)
    for (const [step, seconds] of curve.entries()) {
      expect(Math.abs((reached[step] ?? 0) - seconds)).toBeLessThanOrEqual(seconds / 10)
    }
    expect([...rates]).toEqual([60, 120, 240, 480, 600])
  })

  it('is as high as its claims say, also for one that passes several steps at once, and counts later attempts', async () => {
    const job = await givenRamp(
      40,
      { baseRatePerMinute: 600, incrementFactor: 1.5, rateIncreaseCriteria: notified(4) },
      100_000,
    )
    const first = await take(job, noon)
    const afterFirst = await rateOf(job)
    if (first === null) throw new Error('there was no chunk')
    const devices = first.deviceIds.map((deviceId) => ({ deviceId, status: 'pending' as const, dueAt: noon }))
    await recordFirstAttempts(db, first, devices, noon)
    const running = await readRunningJob(db, job.key)
    const due = running && (await claimDueDeviceJobs(db, running, { workerId: worker, limit: 2 }, after(10_000)))

    expect(first.deviceIds).toHaveLength(10)
    expect(afterFirst).toBe(Math.floor(600 * 1.5 ** 2))
    expect(due).toMatchObject({ attempts: [{}, {}] })
    expect(await rateOf(job)).toBe(Math.floor(600 * 1.5 ** 3))
  })

  it('never passes its maximum, however many steps its devices make', async () => {
    const job = await givenRamp(
      10,
      { baseRatePerMinute: 600, incrementFactor: 5, rateIncreaseCriteria: notified(1) },
      600_000,
    )
    await rows(db, sql`update jobs set notified = 1000000 where job_key = ${job.key} returning job_key`)

    await take(job, noon)

    expect(await rateOf(job)).toBe(600_000)
  })
})

describe('R32 a rate that rises with the successes', () => {
  const slow = { baseRatePerMinute: 600, incrementFactor: 2, rateIncreaseCriteria: succeeded(4) }

  async function succeed(own: Db, claimed: ClaimedChunk | null, count: number) {
    if (claimed === null) throw new Error('there was no chunk')
    const response = jsonText({ status: 200 })
    const outcomes = claimed.deviceIds.map((deviceId, index) =>
      index < count
        ? { deviceId, status: 'completed' as const, response }
        : { deviceId, status: 'failed' as const, error: { code: 'GatewayTimeout' as const, description: 'late' } },
    )
    await recordFirstAttempts(own, claimed, outcomes, noon)
  }

  it('rises when a sweep sees them, and not with the calls or with what failed', async () => {
    await using own = await openStore()
    const job = await givenRamp(40, slow, 5_000, own.db)
    const raise = () => raiseRates(own.db, { limit: 10 })
    const first = await take(job, noon, own.db)

    const none = await raise()
    await succeed(own.db, first, 9)
    const raised = [await raise(), await raise()]

    expect([none, raised, await rateOf(job, own.db)]).toEqual([0, [1, 0], 2_400])
  })

  it('stays at its maximum', async () => {
    await using own = await openStore()
    const job = await givenRamp(40, slow, 700, own.db)
    await succeed(own.db, await take(job, noon, own.db), 10)

    expect([await raiseRates(own.db, { limit: 10 }), await rateOf(job, own.db)]).toEqual([1, 700])
    expect(await raiseRates(own.db, { limit: 10 })).toBe(0)
  })
})
