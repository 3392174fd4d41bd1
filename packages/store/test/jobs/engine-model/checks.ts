import {
  type DeviceJobStatistics,
  type DeviceJobStatus,
  isJsonObject,
  isTerminal,
  type Job,
  type Json,
  jobTransitions,
} from '@muster/contract'
import { type Expression, parseCondition } from '@muster/query'
import { sql } from 'drizzle-orm'
import { expect } from 'vitest'
import { listJobs, readJob } from '../../../src/jobs/jobs.ts'
import { type Db, rows } from '../../../src/postgres/sql.ts'
import { askDeviceJobs } from '../../queries/queries.ts'
import {
  deviceJobs,
  isOpen,
  type Model,
  type ModelChunk,
  type ModelJob,
  type Stage,
  stagesOf,
  statusOf,
} from './model.ts'

/** Where the engine stands: what it says of jobs, and what its tables say of device jobs. */
export interface State {
  readonly jobs: ReadonlyMap<string, Job>
  /** By job and device. */
  readonly deviceJobs: ReadonlyMap<string, Told>
  /** These two in device id order. Of a removal and a registration at the same time, only this tells which was first. */
  readonly registered: readonly string[]
  readonly reachable: readonly string[]
  /** Until when each lease lasts. */
  readonly leases: Readonly<Record<string, string>>
}

/** `hold`: until when it waits, or who has it. */
type Told = readonly [status: DeviceJobStatus, errorCode: string | null, hold: string | null]

export async function readState(db: Db): Promise<State> {
  const [{ items }, [tables]] = await Promise.all([
    listJobs(db, { type: null, status: null }, { limit: 100, after: null, write: JSON.stringify }),
    rows<{
      chunks: ChunkRow[]
      own: OwnRow[]
      registered: string[]
      reachable: string[]
      leases: Record<string, string>
    }>(
      db,
      sql`
      select (select coalesce(json_agg(c), '[]') from chunks c) as chunks,
             (select coalesce(json_agg(r), '[]') from device_jobs r) as own,
             array(select device_id from devices order by device_id) as registered,
             array(select device_id from sessions where accepts_methods order by device_id) as reachable,
             (select coalesce(json_object_agg(worker_id, lease_until), '{}') from workers) as leases`,
    ),
  ])
  const { chunks = [], own = [], registered = [], reachable = [], leases = {} } = tables ?? {}
  const jobs: Job[] = items.map((text) => JSON.parse(text))
  const jobIds = new Map(jobs.map(({ key, jobId }) => [Number(key), jobId]))
  const ownRows = new Map(own.map((row) => [`${row.job_key} ${row.device_id}`, row]))
  return {
    jobs: new Map(jobs.map((job) => [job.jobId, job])),
    deviceJobs: new Map(
      chunks.flatMap((chunk) =>
        chunk.device_ids.map((deviceId) => [
          `${jobIds.get(chunk.job_key)} ${deviceId}`,
          toldBy(ownRows.get(`${chunk.job_key} ${deviceId}`), chunk),
        ]),
      ),
    ),
    registered,
    reachable,
    leases,
  }
}

interface ChunkRow extends LeaseRow {
  readonly job_key: number
  readonly device_ids: readonly string[]
  readonly status: string
  readonly fence: number
  readonly rest: 'completed' | 'canceled' | 'expired' | null
}

interface OwnRow extends LeaseRow {
  readonly job_key: number
  readonly device_id: string
  readonly status: 'pending' | 'running' | 'completed' | 'failed' | 'canceled' | 'skipped'
  readonly attempt: number
  readonly due_at: string | null
  readonly error_code: string | null
}

interface LeaseRow {
  readonly asked_since: string | null
  readonly leased_by: string | null
}

/** The table of docs/spec/jobs.md. */
function toldBy(own: OwnRow | undefined, chunk: ChunkRow): Told {
  if (own?.status === 'running') return [own.status, null, held(own.attempt, own.leased_by)]
  const unknown = (own ?? chunk).asked_since === null ? null : 'DeviceConnectionClosedRemotely'
  if (own?.status === 'canceled' || own?.status === 'skipped') return [own.status, unknown, null]
  if (own !== undefined && own.status !== 'pending') return [own.status, own.error_code, null]
  if (own === undefined && chunk.status === 'leased') {
    return ['running', null, held(chunk.fence, chunk.leased_by)]
  }
  if (chunk.rest === 'expired') return ['failed', unknown ?? 'JobRunPreconditionFailed', null]
  if (chunk.rest === 'canceled') return ['canceled', unknown, null]
  if (chunk.rest !== null) return [chunk.rest, null, null]
  return ['pending', null, own === undefined ? null : held(own.attempt, null, own.due_at)]
}

/** What the model says in the same words. */
function toldOf(stage: Stage, { fence, holder }: ModelChunk): Told {
  const status = statusOf(stage)
  switch (stage.kind) {
    case 'untried':
      return [status, null, null]
    case 'claimed':
      return [status, null, held(fence, holder)]
    case 'waiting':
      return [status, null, held(stage.attempt, null, stage.dueAt)]
    case 'retried':
      return [status, null, held(stage.attempt, stage.workerId)]
    case 'ended':
      return [status, stage.errorCode, null]
  }
}

/** `no`: of the attempt, or of the claim of a chunk. */
function held(no: number, workerId: string | null, until: string | number | null = null): string {
  const isForever = until === 'infinity' || until === Number.POSITIVE_INFINITY
  return `${no} ${workerId ?? 'free'} until ${until === null || isForever ? 'infinity' : new Date(until).toISOString()}`
}

/** J5, J13, and that the engine stands where the model stands. */
export function expectAgreement(model: Model, state: State): void {
  expect(state.registered).toEqual([...model.registered.keys()].sort())
  expect(state.reachable).toEqual([...model.reachable].sort())
  expect(model.uncounted).toBe(0)
  const until = Object.entries(state.leases).map(([workerId, time]): [string, number] => [workerId, Date.parse(time)])
  expect(Object.fromEntries(until)).toEqual(Object.fromEntries(model.leases))
  for (const { jobId, status, statistics } of state.jobs.values()) {
    if (statistics === null) continue
    const { succeededCount, failedCount, runningCount, pendingCount, canceledCount, skippedCount = 0 } = statistics
    const sum = succeededCount + failedCount + runningCount + pendingCount + canceledCount + skippedCount
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
      [...deviceJobs(model)].map(([job, chunk, deviceId, stage]) => [`${job.jobId} ${deviceId}`, toldOf(stage, chunk)]),
    ),
  )
}

/** J2, J4: a job moves along its table, twice at most, and what has ended stays as it ended, device by device. */
export function expectLawfulMove(before: State, after: State): void {
  for (const [jobId, old] of before.jobs) {
    const job = after.jobs.get(jobId)
    if (isTerminal(old.status)) {
      const { statistics, ...final } = old
      expect(job).toMatchObject(old.status === 'completed' ? old : final)
    } else {
      const next = jobTransitions[old.status]
      const lawful = [old.status, ...next, ...next.flatMap((status) => jobTransitions[status])]
      expect(lawful, `${jobId} was ${old.status}`).toContain(job?.status)
    }
  }
  for (const [id, old] of before.deviceJobs) {
    if (['completed', 'failed', 'canceled', 'skipped'].includes(old[0]))
      expect([id, after.deviceJobs.get(id)]).toEqual([id, old])
  }
}

/** Every job has ended, with every device, its statistics are kept, and every way of reading says the same. */
export async function expectEnd(db: Db, model: Model): Promise<void> {
  expect(await rows(db, sql`select job_id from jobs where frozen_at is not null and final_counts is null`)).toEqual([])
  // R57
  const wrong = sql`coalesce(jsonb_array_length(attempts), 0) <> least(10, coalesce(not_nows, 0))`
  expect(await rows(db, sql`select attempts from device_jobs where ${wrong}`)).toEqual([])
  for (const job of model.jobs) {
    const shown = await readJob(db, job.jobId)
    expect(isTerminal(shown?.status ?? 'queued'), `${job.jobId} is ${shown?.status}`).toBe(true)
    expect(isOpen(job), `${job.jobId} is open`).toBe(false)
    expect(shown?.statistics).toEqual(statisticsOf(job))
  }
  const told = [...deviceJobs(model)].map(([job, chunk, deviceId, stage]) => {
    const [status, errorCode] = toldOf(stage, chunk)
    return { text: `${job.jobId} ${deviceId} ${[status, errorCode]}`, status }
  })
  expect(await rowsWhere(db, null)).toEqual(told.map(({ text }) => text).sort())
  for (const wanted of ['completed', 'failed', 'canceled', 'skipped']) {
    const expected = told.filter(({ status }) => status === wanted).map(({ text }) => text)
    expect(await rowsWhere(db, parseCondition(`status = '${wanted}'`))).toEqual(expected.sort())
  }
}

/** By small pages, so that they end in the middle of chunks. */
async function rowsWhere(db: Db, where: Expression | null): Promise<string[]> {
  const found: string[] = []
  let after: string | null = null
  do {
    const page = await askDeviceJobs(db, where, { limit: 7, after })
    found.push(...page.items.map((row) => `${row.jobId} ${row.deviceId} ${[row.status, codeOf(row.error)]}`))
    after = page.continuation
  } while (after !== null)
  return found.sort()
}

function codeOf(error: Json | undefined): Json {
  return isJsonObject(error) ? (error.code ?? null) : null
}

function statisticsOf(job: ModelJob): DeviceJobStatistics | null {
  if (job.chunks === null) return null
  const statuses = stagesOf(job).map(([, stage]) => statusOf(stage))
  const count = (wanted: string) => statuses.filter((status) => status === wanted).length
  return {
    deviceCount: statuses.length,
    succeededCount: count('completed'),
    failedCount: count('failed'),
    runningCount: count('running'),
    pendingCount: count('pending'),
    canceledCount: count('canceled'),
    ...(count('skipped') === 0 ? {} : { skippedCount: count('skipped') }),
  }
}
