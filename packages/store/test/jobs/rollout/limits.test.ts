import { EventEmitter, once } from 'node:events'
import { type Job, jsonText } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ClaimedChunk, claimChunk, readRunningJob } from '../../../src/jobs/chunks.ts'
import { type ClaimedDeviceJobs, claimDueDeviceJobs } from '../../../src/jobs/device-jobs.ts'
import { executeChunk } from '../../../src/jobs/execute-chunk.ts'
import { cancelJob } from '../../../src/jobs/jobs.ts'
import { claimPermitted, isNotNow, type NotNow, spend } from '../../../src/jobs/rollout/permission.ts'
import { releaseExpiredChunks } from '../../../src/jobs/sweeps/release-expired-chunks.ts'
import { isDatabaseLost } from '../../../src/postgres/database-error.ts'
import { type Db, rows } from '../../../src/postgres/sql.ts'
import {
  claimed,
  counts,
  deviceNames,
  givenJob,
  givenLease,
  noon,
  openStore,
  recordFirstAttempts,
  start,
  worker,
} from '../engine.ts'
import { setChunks, setJob } from './set-rows.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

const lanes = 8
const methodJob = 'scheduleDeviceMethod'
const twinJob = 'scheduleUpdateTwin'

describe('a rate', () => {
  it.each([
    [methodJob, 60],
    [methodJob, 600],
    [methodJob, 7],
    [twinJob, 600],
  ] as const)('J42 of a %s job, %s a minute, is kept by many workers at once, and is used', async (type, rate) => {
    const job = await givenLimitedJob({ devices: 100, type, columns: sql`rate = ${rate}` })
    const seconds = 5
    let claimed = 0

    for (let ms = 0; ms <= seconds * 1_000; ms += 250) claimed += await claimAtOnce(job, after(ms))

    const portion = Math.max(1, Math.floor(rate / 60))
    expect(claimed).toBeLessThanOrEqual((rate / 60) * (seconds + 0.5) + portion)
    expect(claimed).toBeGreaterThanOrEqual(Math.floor((rate / 60) * seconds))
  })

  it.each([methodJob, twinJob] as const)('J42 tells a %s job that has used it when to come again', async (type) => {
    const job = await givenLimitedJob({ devices: 3, type, columns: sql`rate = 6` })

    expect(await take(job, noon)).toBe(1)
    expect(await take(job, noon)).toEqual({ waitMs: 9_500 })
    expect(await take(job, after(9_499))).toEqual({ waitMs: 1 })
    expect(await take(job, after(9_500))).toBe(1)
  })

  it('J42 makes chunks of a second or less', async () => {
    const sizes = await Promise.all(
      [6_000, 600, 60, 1].map(async (rate) =>
        chunkSizes(await givenLimitedJob({ devices: 20, columns: sql`rate = ${rate}` })),
      ),
    )

    expect(sizes.map(([largest]) => largest)).toEqual([20, 10, 1, 1])
  })

  it('J42 counts later attempts too, and gives them no more than a second of it', async () => {
    const job = await givenLimitedJob({ devices: 10, columns: sql`rate = 120` })
    await setJob(db, job, sql`rate = null`)
    await givenDueDevices(job)
    await setJob(db, job, sql`rate = 120, rate_free_at = null`)

    expect(await takeDue(job, noon)).toBe(2)
    expect(await takeDue(job, noon)).toEqual({ waitMs: 500 })
    expect(await takeDue(job, after(500))).toBe(2)
  })

  it('J42 may change at any moment, and the next claim goes by it', async () => {
    const job = await givenLimitedJob({ devices: 3, columns: sql`rate = 1` })
    await take(job, noon)
    const slow = await take(job, noon)

    await setJob(db, job, sql`rate = 60, rate_free_at = null`)
    const faster = [await take(job, noon), await take(job, noon)]
    await setJob(db, job, sql`rate = null`)

    expect(slow).toEqual({ waitMs: 59_500 })
    expect(faster).toEqual([1, { waitMs: 500 }])
    expect(await take(job, noon)).toBe(1)
  })

  it('J42 R35 that is lowered later lets a chunk go as a whole, and the next waits for all of it', async () => {
    const job = await givenLimitedJob({ devices: 6, columns: sql`rate = null`, chunkSize: 3 })
    await setJob(db, job, sql`rate = 60`)

    expect([await take(job, noon), await take(job, after(2_499))]).toEqual([3, { waitMs: 1 }])
    expect(await take(job, after(2_500))).toBe(3)
  })

  it('J12 J42 leaves its place to others while its job waits for it', async () => {
    await using own = await openStore()
    const job = await givenJob(own.db)
    const next = await givenJob(own.db)
    await setJob(own.db, job, sql`rate = 6`)
    await start(own.db, job.key)
    const chunk = await claimed(own.db, job.key)

    const inFlight = await start(own.db, next.key, { maxRunningJobs: 1 })
    const outcomes = chunk.deviceIds.map((deviceId) => ({ deviceId, status: 'pending', dueAt: null }) as const)
    await recordFirstAttempts(own.db, chunk, outcomes, noon)
    const waiting = await start(own.db, next.key, { maxRunningJobs: 1 })

    expect([inFlight.kind, waiting.kind]).toEqual(['full', 'started'])
  })

  it('J42 is not used up by a claim that finds nothing, or whose transaction fails', async () => {
    const job = await givenLimitedJob({ devices: 2, type: twinJob, columns: sql`rate = 60` })

    await expect(take(job, noon, () => Promise.reject(new Error('it cannot be done')))).rejects.toThrow()
    const after1s = [await take(job, after(1_000)), await take(job, after(2_000))]
    const [untouched] = await rows(db, sql`select rate_free_at::text from jobs where job_key = ${job.key}`)
    const nothing = await take(job, after(60_000))

    expect(after1s).toEqual([1, 1])
    expect(nothing).toBeNull()
    expect(await rows(db, sql`select rate_free_at::text from jobs where job_key = ${job.key}`)).toEqual([untouched])
  })

  it('J42 J19 does not keep a cancel out, however many claims of the job come and go', async () => {
    const job = await givenLimitedJob({ devices: 300, columns: sql`max_in_flight = 300`, chunkSize: 1 })
    const isCancelled = new AbortController()
    const busy = Array.from({ length: lanes }, async () => {
      while (!isCancelled.signal.aborted && (await take(job, noon)) !== null);
    })

    const cancelled = await cancelJob(db, job.jobId, noon)
    isCancelled.abort()
    await Promise.all(busy)

    expect(cancelled.kind).toBe('cancelled')
    const [, , , running = 0, pending, canceled = 0] = (await counts(db, job)) ?? []
    expect([pending, running + canceled]).toEqual([0, 300])
  })
})

it('J42 J43 a worker that freezes while it has permission holds up others and a cancel for a second only', async () => {
  const job = await givenLimitedJob({ devices: 3, columns: sql`rate = 600, max_in_flight = 3` })
  const running = await readRunningJob(db, job.key)
  if (running === null) throw new Error('the job has ended')
  const process = new EventEmitter()
  const isFrozen = once(process, 'frozen')
  const thawed = once(process, 'thawed')
  const claim = async (tx: Db) => {
    await spend(tx, running, 3, noon)
    process.emit('frozen')
    await thawed
    return {}
  }
  const frozen = claimPermitted(db, running, claim, noon)
  await isFrozen

  const meanwhile = await take(job, noon)
  const cancelled = await cancelJob(db, job.jobId, noon)
  process.emit('thawed')

  expect(meanwhile).toEqual({ waitMs: 50 })
  expect(cancelled.kind).toBe('cancelled')
  await expect(frozen).rejects.toSatisfy(isDatabaseLost)
  expect(await rows(db, sql`select rate_free_at from jobs where job_key = ${job.key}`)).toEqual([
    { rate_free_at: null },
  ])
})

describe('a limit of devices in flight', () => {
  it('J43 is kept by many workers at once, and is reached', async () => {
    const job = await givenLimitedJob({ devices: 100, columns: sql`max_in_flight = 30`, chunkSize: 3 })
    await setJob(db, job, sql`max_in_flight = 10`)

    const claimed = await claimAtOnce(job, noon)

    expect(claimed).toBe(9)
    expect((await counts(db, job))?.[3]).toBe(9)
    expect(await take(job, noon)).toEqual({ waitMs: expect.any(Number) })
  })

  it('J43 has a place free when an outcome is recorded, of any kind, or a lease has ended', async () => {
    const job = await givenLimitedJob({ devices: 8, columns: sql`max_in_flight = 2`, chunkSize: 1 })
    const first = await taken(job)
    await taken(job)
    const whileFull = await take(job, noon)

    await recordFirstAttempts(db, first, [{ deviceId: 'device-0000', status: 'pending', dueAt: null }], noon)
    const afterOutcome = [await take(job, noon), await take(job, noon)]
    await releaseExpiredChunks(db, { limit: 100 }, after(60_000))
    const afterLease = [await take(job, noon), await take(job, noon), await take(job, noon)]

    expect(isNotNow(Object(whileFull))).toBe(true)
    expect(afterOutcome).toEqual([1, { waitMs: expect.any(Number) }])
    expect(afterLease).toEqual([1, 1, { waitMs: expect.any(Number) }])
  })

  it('J43 counts later attempts too', async () => {
    const job = await givenLimitedJob({ devices: 10, columns: sql`max_in_flight = 4`, chunkSize: 1 })
    await setJob(db, job, sql`max_in_flight = null`)
    await setChunks(db, job, [0, 1, 2], sql`status = 'held'`)
    await givenDueDevices(job)
    await setChunks(db, job, [0, 1, 2], sql`status = 'ready'`)
    await setJob(db, job, sql`max_in_flight = 4`)

    const first = await take(job, noon)
    const due = await takeDue(job, noon)

    expect([first, due]).toEqual([1, 3])
    expect(await take(job, noon)).toEqual({ waitMs: expect.any(Number) })
    expect(await takeDue(job, noon)).toEqual({ waitMs: expect.any(Number) })
  })

  it('J43 makes chunks that fit ten times, and a chunk that fits no more goes alone', async () => {
    const job = await givenLimitedJob({ devices: 20, columns: sql`max_in_flight = 80` })
    await setJob(db, job, sql`max_in_flight = 3`)

    const alone = await taken(job)

    expect(await chunkSizes(job)).toEqual([8, 8, 4])
    expect(alone.deviceIds).toHaveLength(8)
    expect(await take(job, noon)).toEqual({ waitMs: expect.any(Number) })
    await recordFirstAttempts(
      db,
      alone,
      alone.deviceIds.map((deviceId) => ({ deviceId, status: 'completed', response: jsonText({}) })),
      noon,
    )
    expect(await take(job, noon)).toBe(8)
  })

  it('J43 J42 holds beside a rate: the stricter one counts', async () => {
    const job = await givenLimitedJob({ devices: 10, columns: sql`max_in_flight = 2, rate = 60` })

    const claims = [
      await take(job, noon),
      await take(job, noon),
      await take(job, after(1_000)),
      await take(job, after(2_000)),
    ]

    expect(claims).toEqual([1, { waitMs: 500 }, 1, { waitMs: expect.any(Number) }])
  })
})

interface Limited {
  readonly devices: number
  readonly type?: Job['type']
  readonly chunkSize?: number
  /** Sets the limits before the start. */
  readonly columns: ReturnType<typeof sql>
}

async function givenLimitedJob({ devices, type = methodJob, chunkSize = 100, columns }: Limited): Promise<Job> {
  const job = await givenJob(db, { devices: deviceNames(devices), type })
  await setJob(db, job, columns)
  await start(db, job.key, { chunkSize })
  return job
}

function after(ms: number): Date {
  return new Date(noon.getTime() + ms)
}

/** Many workers take what they may. Returns how many devices they got. */
async function claimAtOnce(job: Job, now: Date): Promise<number> {
  const claimed = await Promise.all(
    Array.from({ length: lanes }, async () => {
      let count = 0
      for (;;) {
        const got = await take(job, now)
        if (typeof got === 'number') count += got
        // Another has the job for a moment.
        else if (got === null || got.waitMs !== 50) return count
      }
    }),
  )
  return claimed.reduce((sum, count) => sum + count, 0)
}

/** How many devices one claim of first attempts gets. */
async function take({ key, type }: Job, now: Date, work?: () => Promise<never>): Promise<number | NotNow | null> {
  const job = await readRunningJob(db, key)
  if (job === null) return null
  await givenLease(db, worker, now)
  if (type === methodJob) return countOf(await claimChunk(db, job, worker, now))
  const executed = await executeChunk(db, job, { work: work ?? (async () => ({ failures: [], desired: [] })) }, now)
  return executed === null || isNotNow(executed) ? executed : executed.deviceCount
}

async function takeDue({ key }: Job, now: Date): Promise<number | NotNow | null> {
  const job = await readRunningJob(db, key)
  await givenLease(db, worker, now)
  return job === null ? null : countOf(await claimDueDeviceJobs(db, job, { workerId: worker, limit: 100 }, now))
}

function countOf(claimed: ClaimedChunk | ClaimedDeviceJobs | NotNow | null): number | NotNow | null {
  if (claimed === null || isNotNow(claimed)) return claimed
  return 'attempts' in claimed ? claimed.attempts.length : claimed.deviceIds.length
}

/** A claim that goes. */
async function taken({ key }: Job): Promise<ClaimedChunk> {
  const job = await readRunningJob(db, key)
  await givenLease(db, worker, noon)
  const claimed = job && (await claimChunk(db, job, worker, noon))
  if (claimed === null || isNotNow(claimed)) throw new Error('there was nothing to claim')
  return claimed
}

/** Every device that can be claimed has been attempted once, and is to be attempted again at noon. */
async function givenDueDevices(job: Job): Promise<void> {
  await givenLease(db, worker, noon)
  for (;;) {
    const running = await readRunningJob(db, job.key)
    const chunk = running && (await claimChunk(db, running, worker, noon))
    if (chunk === null || isNotNow(chunk)) return
    const outcomes = chunk.deviceIds.map((deviceId) => ({ deviceId, status: 'pending', dueAt: noon }) as const)
    await recordFirstAttempts(db, chunk, outcomes, noon)
  }
}

async function chunkSizes({ key }: Job): Promise<number[]> {
  const chunks = await rows<{ device_count: number }>(
    db,
    sql`select device_count from chunks where job_key = ${key} order by chunk_no`,
  )
  return chunks.map((chunk) => chunk.device_count)
}
