import {
  type Extensions,
  type Job,
  type JobKey,
  type JobRequest,
  type JobStatus,
  type JobType,
  type JsonObject,
  jobKey,
  storedJobId,
} from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { briefly } from '../postgres/briefly.ts'
import { fillPage } from '../postgres/fill-page.ts'
import type { Page, PageRequest, WrittenPageRequest } from '../postgres/page.ts'
import { prepared } from '../postgres/prepared.ts'
import { at, type Db, instant, instantOrNull, rows } from '../postgres/sql.ts'
import { closeChunks } from './close-chunks.ts'
import { type Asker, addJobEvent, hubItself, jobEvent } from './job-events.ts'
import { nextTry } from './next-try.ts'
import { isFinal } from './rollout/continuous.ts'
import { extensionColumns } from './rollout/extension-columns.ts'
import { type RerunTarget, targetColumns } from './selected/job-target.ts'
import { toStatistics } from './statistics.ts'

/**
 * Inserts a job as `queued`. Null when the id exists already. Reads of the job show `queryCondition`; of one that reruns another, its ids.
 * `asker`: who asks for it; `traceparent`: the span in which that is; `scheduleId`: the schedule whose run it is.
 */
export async function insertJob(
  db: Db,
  request: Omit<JobRequest, 'target'> & {
    readonly target: JobRequest['target'] | RerunTarget
    readonly queryCondition: string
    readonly asker?: Asker
    readonly traceparent?: string | null
    readonly scheduleId?: string | null
  },
  now: Date,
): Promise<Job | null> {
  const { target, extensions = {} } = request
  const columns = extensionColumns(extensions)
  const { tables, ids, condition, parentKey, eventFields } = targetColumns(target, request.queryCondition)
  const startAt = request.startTime ?? now
  const deadlineAt = new Date(Math.max(startAt.getTime(), now.getTime()) + request.maxExecutionTimeInSeconds * 1000)
  const inserted = await rows<JobRow>(
    db,
    sql`
    with ${tables} inserted as (
      insert into jobs (job_id, type, status, query_condition, target_ids, body, max_execution_seconds,
                        created_at, start_at, deadline_at, traceparent, extensions, parent_key, schedule_id, ${columns.names})
      values (${request.jobId}, ${request.type}, 'queued', ${condition}, ${ids}, ${JSON.stringify(request.body)}::json,
              ${request.maxExecutionTimeInSeconds}, ${at(now)}, ${at(startAt)}, ${at(deadlineAt)},
              ${request.traceparent ?? null}, ${JSON.stringify(extensions)}::json, ${parentKey}, ${request.scheduleId ?? null}, ${columns.values})
      on conflict (job_id) do nothing
      returning *),
    ${jobEvent({ kind: 'created', now, asker: request.asker ?? hubItself, fields: eventFields }, sql`inserted`)}
    select ${jobColumns}, ${noStatistics} from inserted`,
  )
  return inserted[0] === undefined ? null : toJob(inserted[0])
}

/** A job with its statistics, counted in the same snapshot. Null when there is none of this id. */
export async function readJob(db: Db, jobId: string): Promise<Job | null> {
  const [row] = await rows<JobRow>(db, sql`select ${jobColumns}, ${statistics} from jobs where job_id = ${jobId}`)
  return row === undefined ? null : toJob(row)
}

/** The same by its key. */
export async function readJobByKey(db: Db, key: JobKey): Promise<Job | null> {
  const [row] = await rows<JobRow>(db, sql`select ${jobColumns}, ${statistics} from jobs where job_key = ${key}`)
  return row === undefined ? null : toJob(row)
}

/** A page of jobs, latest first. Each is as it is when it is read: the page is no snapshot. */
export async function listJobs(
  db: Db,
  filter: JobFilter,
  { limit, after, write }: WrittenPageRequest<Job>,
): Promise<Page> {
  return fillPage<JobRow>((statement) => rows(db, statement), limit, {
    parts: [(last, count) => selectJobs(filter, { limit: count, after: last === null ? after : placeOf(last) })],
    size: sql`octet_length(body::text) + octet_length(query_condition)`,
    write: (row) => write(toJob(row)),
    placeOf,
  })
}

/** Null: any. */
interface JobFilter {
  readonly type: JobType | null
  readonly status: JobStatus | null
}

function selectJobs({ type, status }: JobFilter, { limit, after }: PageRequest): SQL {
  const conditions: SQL[] = [sql`true`]
  if (type !== null) conditions.push(sql`type = ${type}`)
  if (status !== null) conditions.push(sql`status = ${status}`)
  if (after !== null) conditions.push(isAfter(after))
  return sql`
    select ${jobColumns}, ${statistics}
      from jobs
     where ${sql.join(conditions, sql` and `)}
     order by jobs.created_at desc, job_id
     limit ${limit}`
}

/** Marks a job that starts later as `scheduled`: its wake-up is on the bus. False when it is not `queued` any more. */
export async function markScheduled(db: Db, key: JobKey): Promise<boolean> {
  const changed = await rows(
    db,
    sql`
    update jobs set status = 'scheduled'
     where job_key = ${key}
       and status = 'queued'
    returning job_key`,
  )
  return changed.length === 1
}

export type Cancellation =
  | { readonly kind: 'cancelled'; readonly job: Job; readonly isRepeated: boolean }
  | { readonly kind: 'terminal'; readonly status: JobStatus }
  | { readonly kind: 'missing' }

/**
 * Cancels a job that has not ended, in one transaction. Devices that have not started are canceled. A device in flight may finish and
 * is counted. To cancel a cancelled job changes nothing and succeeds.
 */
export async function cancelJob(db: Db, jobId: string, now: Date, asker: Asker = hubItself): Promise<Cancellation> {
  return briefly(db, async (tx) => {
    const found = await readJob(tx, jobId)
    if (found === null) return { kind: 'missing' }
    const ended = await endJob(tx, found.key, { status: 'cancelled', asker, reason: null }, now)
    const job = (await readJob(tx, jobId)) ?? found
    if (job.status !== 'cancelled') return { kind: 'terminal', status: job.status }
    return { kind: 'cancelled', job, isRepeated: ended === null }
  })
}

/** Completes a running job without an open device. Null when a device is open, or another worker was first. */
export async function completeJob(db: Db, key: JobKey, now: Date): Promise<Job | null> {
  const [row] = await prepared<JobRow>(
    db,
    'completeJob',
    sql`
    with ended as (
      update jobs set status = 'completed', ended_at = ${at(now)}
       where job_key = ${key}
         and status = 'running'
         and ${isDrained}
         and ${isFinal(now)}
      returning *),
    ${jobEvent({ kind: 'completed', now, fields: countedFields }, sql`ended as jobs`)}
    select ${jobColumns}, ${statistics} from ended as jobs`,
  )
  return row === undefined ? null : toJob(row)
}

/** Ends a job that could not do its work. Its devices that have not started are canceled. Null when it had ended before. */
export async function failJob(db: Db, key: JobKey, reason: string, now: Date): Promise<Job | null> {
  return briefly(db, async (tx) => {
    const jobId = await endJob(tx, key, { status: 'failed', asker: hubItself, reason }, now)
    return jobId === null ? null : readJob(tx, jobId)
  })
}

/** Cancels a job by itself, for a reason that its reads show, in the transaction that decides so. False when it had ended before. */
export async function cancelJobBecause(tx: Db, key: JobKey, reason: string, now: Date): Promise<boolean> {
  return (await endJob(tx, key, { status: 'cancelled', asker: hubItself, reason }, now)) !== null
}

/**
 * Puts off a job whose start failed. Others may start before it meanwhile. Returns how many of its starts have failed; null when it has
 * started or ended.
 */
export async function putOffStart(db: Db, key: JobKey, now: Date): Promise<number | null> {
  const [job] = await rows<{ attempts: number }>(
    db,
    sql`
    update jobs
       set status = 'queued', attempts = attempts + 1, not_before = ${nextTry(sql`(attempts + 1)`, now)}
     where job_key = ${key}
       and status in ('queued', 'scheduled')
    returning attempts`,
  )
  return job?.attempts ?? null
}

/**
 * Ends a job that has not ended, and then its devices that have not started. In this order, because a claim looks at the job before it
 * locks a chunk: see `claimChunk`. The event comes last, so that it has the counts. Returns the id of the job; null when it had ended
 * before.
 */
async function endJob(tx: Db, key: JobKey, { status, asker, reason }: JobEnd, now: Date): Promise<string | null> {
  const [ended] = await rows<{ job_id: string; week: string | null }>(
    tx,
    sql`
    update jobs set status = ${status}, ended_at = ${at(now)}, failure_reason = ${reason}
     where job_key = ${key}
       and status in ('queued', 'scheduled', 'running')
    returning job_id, week`,
  )
  if (ended === undefined) return null
  if (ended.week !== null) await closeChunks(tx, key, ended.week, 'canceled', now)
  const changed = sql`(select * from jobs where job_key = ${key}) as jobs`
  await addJobEvent(tx, { kind: status, now, asker, fields: countedFields }, changed)
  return ended.job_id
}

interface JobEnd {
  readonly status: 'cancelled' | 'failed'
  readonly asker: Asker
  /** Why it failed, or was cancelled by itself. */
  readonly reason: string | null
}

function placeOf({ created_at, job_id }: JobRow): string {
  return `${created_at}/${job_id}`
}

function isAfter(after: string): SQL {
  const slash = after.indexOf('/')
  const createdAt = sql`${after.slice(0, slash)}::timestamptz`
  return sql`(created_at < ${createdAt} or (created_at = ${createdAt} and job_id > ${after.slice(slash + 1)}))`
}

const jobColumns = sql.raw(
  `job_key::text, job_id, type, status, query_condition, body, max_execution_seconds, created_at::text, start_at::text,
   ended_at::text, frozen_at::text, failure_reason, traceparent, extensions, priority, paused_at::text, paused_by, pause_reason,
   schedule_id`,
)

const noStatistics = sql.raw('null as counts')

/** Whether a row of `jobs` has no open chunk. Looked up for each row: with `not exists` Postgres might read the chunks of all jobs. */
export const isDrained: SQL = sql.raw(
  `((select true from chunks c where c.week = jobs.week and c.job_key = jobs.job_key and c.is_open limit 1) is null)`,
)

/**
 * The counters of a row of `jobs`, summed over its chunks. A sixth, those that were skipped, only if there are any: the others stay as they
 * were kept before there was such a thing.
 */
export const summedChunks: SQL = sql.raw(
  `(select array[coalesce(sum(device_count), 0), coalesce(sum(succeeded), 0), coalesce(sum(failed), 0),
                 coalesce(sum(running), 0), coalesce(sum(canceled), 0)]::int[]
            || case when sum(skipped) > 0 then array[sum(skipped)::int] else '{}' end
      from chunks where chunks.week = jobs.week and chunks.job_key = jobs.job_key)`,
)

/** What the event of an end tells: why a job failed, and the counters if it had started. */
const countedFields = sql`jsonb_strip_nulls(jsonb_build_object(
  'reason', failure_reason,
  'counts', case when frozen_at is not null then to_jsonb(${summedChunks}) end))`

/** The counters of a row of `jobs`, as `counts` for `toStatistics`. */
export const statistics: SQL = sql`coalesce(jobs.final_counts, ${summedChunks}) as counts`

interface JobRow extends Record<string, unknown> {
  readonly job_key: string
  readonly job_id: string
  readonly type: JobType
  readonly status: JobStatus
  readonly query_condition: string
  readonly body: JsonObject
  readonly max_execution_seconds: number
  readonly created_at: string
  readonly start_at: string
  readonly ended_at: string | null
  readonly frozen_at: string | null
  readonly failure_reason: string | null
  readonly traceparent: string | null
  readonly extensions: Extensions
  readonly priority: number
  readonly paused_at: string | null
  readonly paused_by: string | null
  readonly pause_reason: string | null
  readonly schedule_id: string | null
  readonly counts: readonly number[] | null
}

function toJob(row: JobRow): Job {
  return {
    key: jobKey(row.job_key),
    jobId: storedJobId(row.job_id),
    type: row.type,
    status: row.status,
    queryCondition: row.query_condition,
    body: row.body,
    createdTime: instant(row.created_at),
    startTime: instant(row.start_at),
    frozenTime: instantOrNull(row.frozen_at),
    endTime: instantOrNull(row.ended_at),
    maxExecutionTimeInSeconds: row.max_execution_seconds,
    extensions: row.extensions,
    priority: row.priority,
    pause:
      row.paused_at === null || row.ended_at !== null
        ? null
        : { time: instant(row.paused_at), by: row.paused_by, reason: row.pause_reason },
    scheduleId: row.schedule_id,
    failureReason: row.failure_reason,
    traceparent: row.traceparent,
    // One statement reads the job row and the chunk sums, so they always fit together.
    statistics: row.frozen_at === null ? null : toStatistics(row.counts ?? []),
  }
}
