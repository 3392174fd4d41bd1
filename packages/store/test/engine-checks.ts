import { type DeviceJobStatistics, isTerminal, type Job, jobTransitions } from '@muster/contract'
import { parseCondition } from '@muster/query'
import { sql } from 'drizzle-orm'
import { expect } from 'vitest'
import { deviceJobRows } from '../src/device-job-rows.ts'
import { listJobs, readJob } from '../src/jobs.ts'
import { queryDeviceJobs } from '../src/query-device-jobs.ts'
import { type Db, rows } from '../src/sql.ts'
import { isOpen, type Model, type ModelJob, stagesOf, statusOf } from './engine-model.ts'

/** What the engine says of everything. */
export interface State {
  readonly jobs: ReadonlyMap<string, Job>
  /** By job and device: the status and the code of the error. */
  readonly deviceJobs: ReadonlyMap<string, readonly [status: string, errorCode: string | null]>
}

export async function readState(db: Db): Promise<State> {
  const { jobs } = await listJobs(db, { type: null, status: null, limit: 100, after: null })
  const found = await rows<{ job_id: string; device_id: string; status: string; error_code: string | null }>(
    db,
    sql`select job_id, device_id, status, error_code from (${deviceJobRows(sql`true`)}) as device_job`,
  )
  return {
    jobs: new Map(jobs.map((job) => [job.jobId, job])),
    deviceJobs: new Map(
      found.map((row) => [`${row.job_id} ${row.device_id}`, [row.status, row.error_code] as const]),
    ),
  }
}

/** J5, J13, and that the engine stands where the model stands. */
export function expectAgreement(model: Model, state: State): void {
  for (const { jobId, status, statistics } of state.jobs.values()) {
    if (statistics === null) continue
    const { succeededCount, failedCount, runningCount, pendingCount, canceledCount } = statistics
    const sum = succeededCount + failedCount + runningCount + pendingCount + canceledCount
    expect(sum, `the statistics of ${jobId}`).toBe(statistics.deviceCount)
    expect(status === 'completed' && runningCount + pendingCount > 0, `${jobId} is completed too early`).toBe(false)
  }
  expect(
    Object.fromEntries([...state.jobs].map(([jobId, { status, statistics }]) => [jobId, { status, statistics }])),
  ).toEqual(
    Object.fromEntries(model.jobs.map((job) => [job.jobId, { status: job.status, statistics: statisticsOf(job) }])),
  )
  expect(Object.fromEntries(state.deviceJobs)).toEqual(
    Object.fromEntries(
      model.jobs.flatMap((job) =>
        stagesOf(job).map(([deviceId, stage]) => [
          `${job.jobId} ${deviceId}`,
          [statusOf(stage), stage.kind === 'ended' ? stage.errorCode : null],
        ]),
      ),
    ),
  )
}

/** J2, J4: a job moves along its table, and what has ended stays as it ended, device by device. */
export function expectLawfulMove(before: State, after: State): void {
  for (const [jobId, old] of before.jobs) {
    const job = after.jobs.get(jobId)
    if (isTerminal(old.status)) {
      const { statistics, ...final } = old
      expect(job).toMatchObject(old.status === 'completed' ? old : final)
    } else {
      expect([old.status, ...jobTransitions[old.status]], `${jobId} was ${old.status}`).toContain(job?.status)
    }
  }
  for (const [id, old] of before.deviceJobs) {
    if (['completed', 'failed', 'canceled'].includes(old[0])) expect([id, after.deviceJobs.get(id)]).toEqual([id, old])
  }
}

/** Every job has ended, with every device, and every way of reading says the same. */
export async function expectEnd(db: Db, model: Model): Promise<void> {
  for (const job of model.jobs) {
    const shown = await readJob(db, job.jobId)
    expect(isTerminal(shown?.status ?? 'queued'), `${job.jobId} is ${shown?.status}`).toBe(true)
    expect(isOpen(job), `${job.jobId} is open`).toBe(false)
    expect(shown?.statistics).toEqual(statisticsOf(job))
  }
  const expected = model.jobs.flatMap((job) =>
    stagesOf(job).map(([deviceId, stage]) => ({ jobId: job.jobId, deviceId, status: statusOf(stage), stage })),
  )
  expect(await statusesWhere(db, null)).toEqual(summaries(expected))
  for (const status of ['completed', 'failed', 'canceled', 'pending', 'running']) {
    expect(await statusesWhere(db, `status = '${status}'`)).toEqual(
      summaries(expected.filter((row) => row.status === status)),
    )
  }
}

function summaries(found: readonly { jobId: string; deviceId: string; status: string }[]): string[] {
  return found.map(({ jobId, deviceId, status }) => `${jobId} ${deviceId} ${status}`).sort()
}

/** By small pages, so that they end in the middle of chunks. */
async function statusesWhere(db: Db, condition: string | null): Promise<string[]> {
  const found: string[] = []
  let after: string | null = null
  do {
    const page = await queryDeviceJobs(db, condition === null ? null : parseCondition(condition), { limit: 7, after })
    found.push(...page.items.map(({ jobId, deviceId, status }) => `${jobId} ${deviceId} ${status}`))
    after = page.continuation
  } while (after !== null)
  return found.sort()
}

function statisticsOf(job: ModelJob): DeviceJobStatistics | null {
  if (job.chunks === null) return null
  const statuses = stagesOf(job).map(([, stage]) => statusOf(stage))
  const count = (wanted: string) => statuses.filter((status) => status === wanted).length
  return {
    deviceCount: job.target.length,
    succeededCount: count('completed'),
    failedCount: count('failed'),
    runningCount: count('running'),
    pendingCount: count('pending'),
    canceledCount: count('canceled'),
  }
}
