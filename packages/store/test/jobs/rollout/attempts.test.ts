import { jsonText, type KeptAttempt } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { cancelJob } from '../../../src/jobs/jobs.ts'
import type { DeviceOutcome } from '../../../src/jobs/record-attempts.ts'
import { releaseExpiredDeviceJobs } from '../../../src/jobs/sweeps/release-expired-device-jobs.ts'
import { type Db, rows } from '../../../src/postgres/sql.ts'
import { askDeviceJobs } from '../../queries/queries.ts'
import {
  claimDue,
  claimed,
  counts,
  givenRunningJob,
  noon,
  on,
  openStore,
  recordFirstAttempts,
  recordLaterAttempts,
  worker,
} from '../engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

const deviceId = 'device-0000'

function kept(no: number): KeptAttempt {
  return { time: noon.toISOString(), status: 500, text: `answer ${no}` }
}

function later(no: number, more: Partial<DeviceOutcome> = {}): DeviceOutcome {
  return {
    deviceId,
    deliveredAt: noon,
    status: 'pending',
    dueAt: noon,
    kept: kept(no),
    isNotNow: more.isNotNow ?? false,
  }
}

/** A job of one device whose first call it has answered so. */
async function givenTried(outcome: DeviceOutcome) {
  const job = await givenRunningJob(db, { devices: 1 })
  await recordFirstAttempts(db, await claimed(db, job.key), [outcome], noon)
  const due = async (now = noon) => {
    const found = await claimDue(db, job.key, { workerId: worker, limit: 1 }, now)
    if (found === null) throw new Error('nothing is due')
    return found
  }
  const row = async () => {
    const [found] = await rows(
      db,
      sql`select attempts, not_nows, deliveries from device_jobs where job_key = ${job.key}`,
    )
    return found
  }
  return { job, due, row }
}

it('R57 a row keeps the last ten calls, oldest first, and the answer of the last one is its outcome', async () => {
  const { job, due, row } = await givenTried(later(1))
  for (let no = 2; no <= 12; no += 1) await recordLaterAttempts(db, await due(), [later(no)], noon)

  const response = jsonText({ status: 200, payload: null })
  const last: DeviceOutcome = { deviceId, deliveredAt: noon, status: 'completed', response, kept: kept(13) }
  await recordLaterAttempts(db, await due(), [last], noon)

  const lastTen = Array.from({ length: 10 }, (_, index) => kept(index + 4))
  expect(await row()).toEqual({ attempts: lastTen, not_nows: null, deliveries: 13 })
  expect(await counts(db, job)).toEqual([1, 1, 0, 0, 0, 0])
  const { items } = await askDeviceJobs(db, null, { limit: 10, after: null })
  expect(items).toContainEqual(expect.objectContaining({ jobId: job.jobId, status: 'completed', attempts: lastTen }))
})

it('R57 what is not kept leaves the calls before as they are, and a row without any shows none', async () => {
  const { due, row, job } = await givenTried({ deviceId, status: 'pending', dueAt: noon })
  const before = await row()

  await recordLaterAttempts(db, await due(), [later(1)], noon)
  await recordLaterAttempts(db, await due(), [{ deviceId, status: 'pending', dueAt: null }], noon)

  expect(before).toEqual({ attempts: null, not_nows: null, deliveries: 0 })
  expect(await row()).toMatchObject({ attempts: [kept(1)], deliveries: 1 })
  const other = await givenRunningJob(db, { devices: 1 })
  const { items } = await askDeviceJobs(db, null, { limit: 10, after: null })
  const isOf = ({ jobId }: { jobId: string }) => items.find((item) => item.jobId === jobId)
  expect(isOf(job)).toHaveProperty('attempts')
  expect(isOf(other)).not.toHaveProperty('attempts')
})

it('R56 a claim says how often the device has put it off', async () => {
  const { due } = await givenTried(later(1, { isNotNow: true }))
  const first = await due()
  await recordLaterAttempts(db, first, [later(2, { isNotNow: true })], noon)
  const second = await due()
  await recordLaterAttempts(db, second, [later(3)], noon)
  const third = await due()

  expect([first, second, third].map(({ attempts }) => attempts[0])).toMatchObject([
    { notNows: 1, deliveries: 1 },
    { notNows: 2, deliveries: 2 },
    { notNows: 2, deliveries: 3 },
  ])
})

it('R58 a worker that dies between the calls loses none of what is known, and its claim goes to another one', async () => {
  const { due, row } = await givenTried(later(1, { isNotNow: true }))
  const lost = await due()
  const muchLater = on('12:02:00')
  await releaseExpiredDeviceJobs(db, { limit: 10 }, muchLater)

  const taken = await due(muchLater)
  const late = await recordLaterAttempts(db, lost, [later(2)], muchLater)

  expect(taken.attempts).toMatchObject([{ notNows: 1, deliveries: 1, askedSince: noon }])
  expect(late.count).toBe(0)
  expect(await row()).toMatchObject({ attempts: [kept(1)], not_nows: 1, deliveries: 1 })
})

it('R55 a device that waits for another call when its job is cancelled is canceled, and its row has the calls', async () => {
  const { job } = await givenTried(later(1))

  await cancelJob(db, job.jobId, noon)

  expect(await counts(db, job)).toEqual([1, 0, 0, 0, 0, 1])
  const { items } = await askDeviceJobs(db, null, { limit: 10, after: null })
  expect(items).toContainEqual(expect.objectContaining({ jobId: job.jobId, status: 'canceled', attempts: [kept(1)] }))
})
