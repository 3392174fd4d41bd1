import { type DeviceError, type DeviceId, type JobKey, type JsonText, jobKey, storedDeviceId } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { prepared } from '../postgres/prepared.ts'
import { at, type Db, instant, texts } from '../postgres/sql.ts'
import { type ClaimedChunk, mayAttempt, ofOpenWindow, type RunningJob } from './chunks.ts'
import { isAnswerable, withDevice } from './gone-devices.ts'
import { isAlive } from './workers.ts'

/**
 * The outcome of one attempt on one device. `pending`: attempt it again at `dueAt`, or, if null, when the device is reachable.
 * `deliveredAt`: when the device got the call; absent when it did not, or nobody knows. `isUnknown`: nobody knows.
 */
export type DeviceOutcome = {
  readonly deviceId: string
  readonly deliveredAt?: Date | undefined
  readonly isUnknown?: boolean
} & (
  | { readonly status: 'completed'; readonly response: JsonText }
  | { readonly status: 'failed'; readonly error: DeviceError }
  | { readonly status: 'pending'; readonly dueAt: Date | null }
)

export interface Recorded {
  /** How many outcomes were written. The others came from a lost claim. */
  readonly count: number
  /** Whether a chunk has no open device any more. Then the job may be complete. */
  readonly isChunkClosed: boolean
}

/**
 * Records first attempts of a claimed chunk and moves its counters by exactly the rows it writes. Guarded by the fence: a
 * worker that lost its lease writes nothing. May be called several times for one claim; the last outcome ends the claim.
 */
export async function recordFirstAttempts(
  db: Db,
  claim: ClaimedChunk,
  outcomes: readonly DeviceOutcome[],
  now: Date,
): Promise<Recorded> {
  const { job, chunkNo, fence } = claim
  const found = await prepared<{ count: number; is_closed: boolean }>(
    db,
    'recordFirstAttempts',
    sql`
    with claim as (
      select week, job_key, chunk_no
        from chunks
       where week = ${job.week} and job_key = ${job.key} and chunk_no = ${chunkNo}
         and status = 'leased' and fence = ${fence}
         for update),
    recorded as (
      insert into device_jobs (week, job_key, chunk_no, device_id, status, attempt, deliveries, unknown_deliveries,
                               delivered_at, due_at, updated_at, response, error_code, error_text)
      select week, job_key, chunk_no, device_id, status, attempt, (delivered_at is not null)::int, is_unknown::int,
             delivered_at, due_at, ${at(now)}, response::json, error_code, error_text
        from claim
       cross join ${outcomeRows(outcomes, () => 1)}
          on conflict do nothing
      returning status),
    ${counted(sql`select status, null::int as chunk_no from recorded`)}
    update chunks c
       set attempted = attempted + n,
           status = case when attempted + n = device_count then 'attempted' else status end,
           ${movedCounters}
      from claim, counted
     where c.week = claim.week and c.job_key = claim.job_key and c.chunk_no = claim.chunk_no
    returning n as count, not is_open as is_closed`,
  )
  return summed(found)
}

/** Device jobs claimed one by one after their first attempt. `attempt` is the fence of each. */
export interface ClaimedDeviceJobs {
  readonly job: RunningJob
  readonly attempts: readonly ClaimedDeviceJob[]
}

export interface ClaimedDeviceJob {
  readonly deviceId: DeviceId
  readonly attempt: number
  /** How often the device certainly got the call. */
  readonly deliveries: number
  /** How often nobody knows whether it did. */
  readonly unknownDeliveries: number
  /** The first claim since the last recorded outcome. If it is not this one, an earlier worker may have called the device. */
  readonly askedSince: Date
}

/**
 * Claims up to `limit` due device jobs of a job, in one statement. Null when there is none, the job may not start attempts, or the lease
 * of the worker has ended. It locks the chunks first: after a wait for one Postgres looks again whether its rest has ended. It waits for no row of a device, so those who
 * lock these before the chunks cannot wait for it.
 */
export async function claimDueDeviceJobs(
  db: Db,
  job: RunningJob,
  { workerId, limit }: { readonly workerId: string; readonly limit: number },
  now: Date,
): Promise<ClaimedDeviceJobs | null> {
  // The index of due rows leaves out `infinity`. A plan for any values takes it only if the statement does so too.
  const claimed = await prepared<DueRow>(
    db,
    'claimDueDeviceJobs',
    sql`
    with due as materialized (
      select r.device_id, r.chunk_no
        from device_jobs r
        join chunks c using (week, job_key, chunk_no)
       where r.week = ${job.week} and r.job_key = ${job.key} and r.status = 'pending' and r.due_at <= ${at(now)}
         and r.due_at < 'infinity' and c.rest is null
         and ${mayAttempt(job.key, now)}
         and ${isAlive(workerId, now)}
       order by r.due_at
       limit ${limit}),
    open as materialized (
      select chunk_no
        from chunks
       where week = ${job.week} and job_key = ${job.key} and rest is null
         and chunk_no in (select chunk_no from due)
       order by chunk_no
         for update),
    free as materialized (
      select r.device_id
        from device_jobs r
        join due using (device_id)
        join open on open.chunk_no = due.chunk_no
       where r.week = ${job.week} and r.job_key = ${job.key} and r.status = 'pending' and r.due_at <= ${at(now)}
         for update of r skip locked),
    claimed as (
      update device_jobs r
         set status = 'running',
             attempt = attempt + 1,
             asked_since = coalesce(asked_since, ${at(now)}),
             due_at = null,
             leased_by = ${workerId},
             updated_at = ${at(now)}
        from free
       where r.week = ${job.week} and r.job_key = ${job.key} and r.device_id = free.device_id
         and r.status = 'pending'
      returning r.device_id, r.chunk_no, r.attempt, r.deliveries, r.unknown_deliveries,
                r.asked_since),
    counted as (select chunk_no, count(*)::int as n from claimed group by chunk_no),
    moved as (
      update chunks c
         set running = running + n
        from counted
       where c.week = ${job.week} and c.job_key = ${job.key} and c.chunk_no = counted.chunk_no)
    select device_id, attempt, deliveries, unknown_deliveries, asked_since::text from claimed`,
  )
  if (claimed.length === 0) return null
  return {
    job,
    attempts: claimed.map(({ device_id, attempt, deliveries, unknown_deliveries, asked_since }) => ({
      deviceId: storedDeviceId(device_id),
      attempt,
      deliveries,
      unknownDeliveries: unknown_deliveries,
      askedSince: instant(asked_since),
    })),
  }
}

interface DueRow extends Record<string, unknown> {
  readonly device_id: string
  readonly attempt: number
  readonly deliveries: number
  readonly unknown_deliveries: number
  readonly asked_since: string
}

/** Records later attempts, each guarded by its own attempt number, and moves the chunks' counters by the rows it changes. */
export async function recordLaterAttempts(
  db: Db,
  claim: ClaimedDeviceJobs,
  outcomes: readonly DeviceOutcome[],
  now: Date,
): Promise<Recorded> {
  const { job } = claim
  const attempts = new Map<string, number>(claim.attempts.map(({ deviceId, attempt }) => [deviceId, attempt]))
  const found = await prepared<{ count: number; is_closed: boolean }>(
    db,
    'recordLaterAttempts',
    sql`
    with outcome as (
      select * from ${outcomeRows(outcomes, (deviceId) => attempts.get(deviceId) ?? 0)}),
    claim as (
      select r.device_id
        from device_jobs r
        join outcome o using (device_id)
       where r.week = ${job.week} and r.job_key = ${job.key} and r.status = 'running' and r.attempt = o.attempt
       order by r.device_id
         for update of r),
    recorded as (
      update device_jobs r
         set status = o.status,
             deliveries = deliveries + (o.delivered_at is not null)::int,
             unknown_deliveries = unknown_deliveries + o.is_unknown::int,
             delivered_at = coalesce(o.delivered_at, r.delivered_at),
             asked_since = null,
             due_at = o.due_at,
             leased_by = null,
             updated_at = ${at(now)},
             response = o.response::json,
             error_code = o.error_code,
             error_text = o.error_text
        from outcome o
        join claim using (device_id)
       where r.week = ${job.week} and r.job_key = ${job.key}
         and r.device_id = o.device_id and r.status = 'running' and r.attempt = o.attempt
      returning r.chunk_no, r.status),
    ${counted(sql`select status, chunk_no from recorded`)},
    ${lockedChunks(job)}
    update chunks c
       set ${movedCounters}
      from locked
     where c.week = ${job.week} and c.job_key = ${job.key} and c.chunk_no = locked.chunk_no
    returning n as count, not is_open as is_closed`,
  )
  return summed(found)
}

/** Makes device jobs that wait for these devices due. Returns the jobs whose workers must be woken. */
export async function markReachable(db: Db, deviceIds: readonly string[], now: Date): Promise<JobKey[]> {
  const found = await prepared<{ job_key: string }>(
    db,
    'markReachable',
    sql`
    with waiting as (
      select r.week, r.job_key, r.device_id
        from device_jobs r
       where r.device_id = any(${texts(deviceIds)})
         and r.status = 'pending' and r.due_at = 'infinity'
         and ${ofOpenWindow(now)}
       order by r.week, r.job_key, r.device_id
         for update of r),
    ${nowDue(now)}
    select distinct job_key::text from reached`,
  )
  return found.map((row) => jobKey(row.job_key))
}

/**
 * Closes the race between a worker that finds a device offline and the gateway that sees it connect, or the caller who deletes it. Call
 * it after the commit of the wait: what can be attempted now is due at once. Returns how many there were.
 */
export async function markDueWhereReachable(
  db: Db,
  job: RunningJob,
  deviceIds: readonly string[],
  now: Date,
): Promise<number> {
  const due = await prepared(
    db,
    'markDueWhereReachable',
    sql`
    with waiting as (
      select r.week, r.job_key, r.device_id
        from device_jobs r
        ${withDevice(sql`r.device_id`)}
       where r.week = ${job.week} and r.job_key = ${job.key} and r.device_id = any(${texts(deviceIds)})
         and r.status = 'pending' and r.due_at = 'infinity'
         and ${isAnswerable(sql`${job.lastGenerationNo}::bigint`)}
       order by r.device_id
         for update of r),
    ${nowDue(now)}
    select device_id from reached`,
  )
  return due.length
}

/** Makes waiting device jobs due. Locks them in key order, so that two of these statements cannot wait for each other. */
export function nowDue(now: Date): SQL {
  return sql`reached as (
      update device_jobs r
         set due_at = ${at(now)}
        from waiting w
       where r.week = w.week and r.job_key = w.job_key and r.device_id = w.device_id
         and r.status = 'pending' and r.due_at = 'infinity'
      returning r.job_key, r.device_id)`
}

/** As one JSON parameter: of arrays, the driver only knows how to send those of texts. */
function outcomeRows(outcomes: readonly DeviceOutcome[], attemptOf: (deviceId: string) => number): SQL {
  const values = outcomes.map((outcome) => ({
    device_id: outcome.deviceId,
    status: outcome.status,
    attempt: attemptOf(outcome.deviceId),
    is_unknown: outcome.isUnknown ?? false,
    delivered_at: outcome.deliveredAt?.toISOString() ?? null,
    due_at: outcome.status === 'pending' ? (outcome.dueAt?.toISOString() ?? 'infinity') : null,
    // As text in the JSON: a device's answer may hold U+0000, which Postgres would refuse to take out of it.
    response: outcome.status === 'completed' ? outcome.response : null,
    error_code: outcome.status === 'failed' ? outcome.error.code : null,
    error_text: outcome.status === 'failed' ? outcome.error.description : null,
  }))
  return sql`json_to_recordset(${JSON.stringify(values)}::json) as o (
    device_id text, status text, attempt int, is_unknown boolean, delivered_at timestamptz, due_at timestamptz, response text, error_code text, error_text text)`
}

function counted(recorded: SQL): SQL {
  return sql`counted as (
      select chunk_no,
             count(*)::int as n,
             (count(*) filter (where status = 'completed'))::int as n_completed,
             (count(*) filter (where status = 'failed'))::int as n_failed,
             (count(*) filter (where status = 'pending'))::int as n_pending
        from (${recorded}) as recorded
       group by chunk_no)`
}

/** Always in chunk order, so that two recorders cannot wait for each other. */
function lockedChunks(job: RunningJob): SQL {
  return sql`locked as (
      select counted.*
        from chunks c
        join counted on counted.chunk_no = c.chunk_no
       where c.week = ${job.week} and c.job_key = ${job.key}
       order by c.chunk_no
         for update of c)`
}

/** If the rest of a chunk has ended, a device that would be attempted again has ended with it. */
const movedCounters = sql.raw(
  `running = running - n,
           succeeded = succeeded + n_completed,
           failed = failed + n_failed + case rest when 'expired' then n_pending else 0 end,
           canceled = canceled + case rest when 'canceled' then n_pending else 0 end`,
)

function summed(found: readonly { count: number; is_closed: boolean }[]): Recorded {
  return {
    count: found.reduce((sum, row) => sum + row.count, 0),
    isChunkClosed: found.some((row) => row.is_closed),
  }
}
