import { jsonText } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { cancelJob, completeJob, listJobs } from '../../src/jobs/jobs.ts'
import type { DeviceOutcome } from '../../src/jobs/record-attempts.ts'
import { keepStatistics } from '../../src/jobs/sweeps/keep-statistics.ts'
import { type Db, rows } from '../../src/postgres/sql.ts'
import { claimed, counts, givenJob, givenRunningJob, noon, openStore, recordFirstAttempts } from './engine.ts'

const all = { limit: 100 }

let store: Awaited<ReturnType<typeof openStore>>
let db: Db
beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

it('J5 a completed job keeps its statistics, and shows them without its chunks', async () => {
  const job = await givenRunningJob(db, { devices: 2 })
  const outcomes = [completed('device-0000'), failed('device-0001')]
  await recordFirstAttempts(db, await claimed(db, job.key), outcomes, noon)
  await completeJob(db, job.key, noon)

  const kept = [await keepStatistics(db, all), await keepStatistics(db, all)]
  await rows(db, sql`delete from chunks where job_key = ${job.key}`)

  expect(kept).toEqual([1, 0])
  expect(await counts(db, job)).toEqual([2, 1, 1, 0, 0, 0])
})

it('J5 J6 a cancelled job keeps its statistics when its last device in flight has ended, and not before', async () => {
  const job = await givenRunningJob(db, { devices: 3, chunkSize: 2 })
  const chunk = await claimed(db, job.key)
  await cancelJob(db, job.jobId, noon)

  const inFlight = { kept: await keepStatistics(db, all), counts: await counts(db, job) }
  await recordFirstAttempts(db, chunk, [completed('device-0000')], noon)
  const nearly = { kept: await keepStatistics(db, all), counts: await counts(db, job) }
  await recordFirstAttempts(db, chunk, [{ deviceId: 'device-0001', status: 'pending', dueAt: null }], noon)
  const ended = { kept: await keepStatistics(db, all), counts: await counts(db, job) }

  expect([inFlight, nearly, ended]).toEqual([
    { kept: 0, counts: [3, 0, 0, 2, 0, 1] },
    { kept: 0, counts: [3, 1, 0, 1, 0, 1] },
    { kept: 1, counts: [3, 1, 0, 0, 0, 2] },
  ])
})

it('J5 a job that was cancelled before its start has no statistics to keep', async () => {
  const job = await givenJob(db)
  await cancelJob(db, job.jobId, noon)

  expect(await keepStatistics(db, all)).toBe(0)
  expect(await counts(db, job)).toBeNull()
})

it('J5 a page of jobs shows statistics that are kept and such that are summed', async () => {
  const states = [await givenRunningJob(db, { devices: 1 }), await givenRunningJob(db, { devices: 1 })]
  const [ended] = states
  if (ended !== undefined) await cancelJob(db, ended.jobId, noon)
  await keepStatistics(db, all)

  const write = ({ jobId, statistics }: { jobId: string; statistics: { canceledCount: number } | null }) =>
    `${jobId} ${statistics?.canceledCount}`
  const page = await listJobs(db, { type: null, status: null }, { limit: 100, after: null, write })

  expect(page.items).toEqual(expect.arrayContaining(states.map(({ jobId }, index) => `${jobId} ${1 - index}`)))
})

function completed(deviceId: string): DeviceOutcome {
  return { deviceId, status: 'completed', response: jsonText({}) }
}

function failed(deviceId: string): DeviceOutcome {
  return { deviceId, status: 'failed', error: { code: 'GatewayTimeout', description: 'no answer' } }
}
