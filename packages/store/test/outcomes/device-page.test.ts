import { type JsonObject, jsonText, withTexts } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cancelJob } from '../../src/jobs/jobs.ts'
import { expireOverdueJobs } from '../../src/jobs/sweeps/expire-overdue-jobs.ts'
import { type DeviceCounts, type DeviceFilter, readDevicePage } from '../../src/outcomes/device-page.ts'
import type { Db } from '../../src/postgres/sql.ts'
import {
  claim as claimNext,
  deviceNames,
  givenJob,
  givenRunningJob,
  noon,
  on,
  openStore,
  read,
  recordFirstAttempts,
} from '../jobs/engine.ts'
import { setChunks } from '../jobs/rollout/set-rows.ts'
import { givenOutcomes } from './given-outcomes.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db
beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

const everything: DeviceFilter = { statuses: null, errorCodes: null, deviceId: null }

/** Pages of so many rows each; `meanwhile` happens between two of them. */
async function readAll(
  jobId: string,
  filter: Partial<DeviceFilter> = {},
  { limit = 1000, meanwhile = async () => {} }: { limit?: number; meanwhile?: () => Promise<unknown> } = {},
) {
  const rows: JsonObject[] = []
  let after: string | null = null
  do {
    if (after !== null) await meanwhile()
    const page: Awaited<ReturnType<typeof readDevicePage>> = await readDevicePage(
      db,
      jobId,
      { ...everything, ...filter },
      { limit, after, write: withTexts, withCounts: false },
    )
    rows.push(...(page?.items ?? []).map((text) => JSON.parse(text)))
    after = page?.continuation ?? null
  } while (after !== null)
  return rows
}

async function countsOf(jobId: string) {
  const page = await readDevicePage(db, jobId, everything, {
    limit: 1,
    after: null,
    write: withTexts,
    withCounts: true,
  })
  return page?.counts
}

function countBy(rows: readonly JsonObject[], keyOf: (row: JsonObject) => string | undefined) {
  const counts: Record<string, number> = {}
  for (const key of rows.map(keyOf)) if (key !== undefined) counts[key] = (counts[key] ?? 0) + 1
  return counts
}

const statusOf = (row: JsonObject) => String(row.status)
const codeOf = (row: JsonObject) => JSON.parse(JSON.stringify(row)).error?.code
const none: DeviceCounts['byStatus'] = { pending: 0, running: 0, completed: 0, failed: 0, canceled: 0 }

describe('the counts of the devices of a job', () => {
  it.each([
    ['runs', async () => {}],
    ['was cancelled', (jobId: string) => cancelJob(db, jobId, noon)],
    ['is over', () => expireOverdueJobs(db, { limit: 10 }, on('13:00:01'))],
  ])('D2 are those of its rows and of its statistics when it %s', async (_, end) => {
    const job = await givenOutcomes(db)
    await end(job.jobId)

    const rows = await readAll(job.jobId)
    const counts = await countsOf(job.jobId)

    const { statistics } = await read(db, job)
    expect(counts?.byStatus).toEqual({ ...none, ...countBy(rows, statusOf) })
    expect(counts?.byErrorCode).toEqual(countBy(rows, codeOf))
    expect(counts?.byStatus).toEqual({
      pending: statistics?.pendingCount,
      running: statistics?.runningCount,
      completed: statistics?.succeededCount,
      failed: statistics?.failedCount,
      canceled: statistics?.canceledCount,
    })
    expect(rows).toHaveLength(60)
  })

  it('D2 are zero before the job has started, and there are no rows', async () => {
    const { jobId } = await givenJob(db)

    expect(await readAll(jobId)).toEqual([])
    expect(await countsOf(jobId)).toEqual({ byStatus: none, byErrorCode: {} })
  })

  it('there are none of a job that does not exist', async () => {
    expect(await countsOf('no-such-job')).toBeUndefined()
  })
})

describe('the pages of the devices of a job', () => {
  it('D1 have each device once, while the job goes on between them', async () => {
    const job = await givenRunningJob(db, { devices: 60, chunkSize: 10 })
    const goOn = async () => {
      const claim = await claimNext(db, job.key)
      if (claim === null) return
      const response = jsonText({ status: 200, payload: null })
      const outcomes = claim.deviceIds.map((deviceId) => ({ deviceId, status: 'completed', response }) as const)
      await recordFirstAttempts(db, claim, outcomes, noon)
    }

    const rows = await readAll(job.jobId, {}, { limit: 4, meanwhile: goOn })

    expect(rows.map(({ deviceId }) => deviceId)).toEqual(deviceNames(60))
    expect(new Set(rows.map(statusOf))).toEqual(new Set(['pending', 'completed']))
  })

  it.each<[string, Partial<DeviceFilter>, (row: JsonObject) => boolean]>([
    ['a status', { statuses: ['running'] }, (row) => row.status === 'running'],
    ['several statuses', { statuses: ['failed', 'pending'] }, (row) => /failed|pending/.test(statusOf(row))],
    ['an error code', { errorCodes: ['GatewayTimeout'] }, (row) => codeOf(row) === 'GatewayTimeout'],
    ['a code that nobody has', { errorCodes: ['Nothing', 'a \u0000'] }, () => false],
    ['a code and a status without errors', { errorCodes: ['GatewayTimeout'], statuses: ['completed'] }, () => false],
    ['a device', { deviceId: 'device-0007' }, (row) => row.deviceId === 'device-0007'],
    ['a device that is no target', { deviceId: 'device-9999' }, () => false],
    ['a device in another status', { deviceId: 'device-0000', statuses: ['running'] }, () => false],
  ])('D1 have exactly the devices with %s', async (_, filter, isWanted) => {
    const job = await givenOutcomes(db)
    const all = await readAll(job.jobId)

    const rows = await readAll(job.jobId, filter, { limit: 7 })

    expect(rows).toEqual(all.filter(isWanted))
  })

  it('D1 have the devices that nobody heard from again under the codes of their rows', async () => {
    const job = await givenOutcomes(db)
    await setChunks(db, job, [5], sql`asked_since = now()`)
    await expireOverdueJobs(db, { limit: 10 }, on('13:00:01'))

    const lost = await readAll(job.jobId, { errorCodes: ['DeviceConnectionClosedRemotely'] })
    const counts = await countsOf(job.jobId)

    expect(lost.map(statusOf)).toEqual(Array.from({ length: 14 }, () => 'failed'))
    expect(counts?.byErrorCode.DeviceConnectionClosedRemotely).toBe(lost.length)
  })
})
