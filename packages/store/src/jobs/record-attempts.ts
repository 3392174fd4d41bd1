import type { DeviceError, JsonText, KeptAttempt } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { prepared } from '../postgres/prepared.ts'
import { at, type Db, instantOrNull } from '../postgres/sql.ts'
import type { ClaimedChunk } from './chunks.ts'
import type { ClaimedDeviceJobs } from './device-jobs.ts'

/**
 * The outcome of one attempt on one device. `pending`: attempt it again at `dueAt`, or, if null, when the device is reachable.
 * `deliveredAt`: when the device got the call; absent when it did not, or nobody knows. `isUnknown`: nobody knows. `kept`: what the row
 * keeps of the call; the last ten. `isNotNow`: the device has put it off.
 */
export type DeviceOutcome = {
  readonly deviceId: string
  readonly deliveredAt?: Date | undefined
  readonly isUnknown?: boolean
  readonly kept?: KeptAttempt | null
  readonly isNotNow?: boolean
} & (
  | { readonly status: 'completed'; readonly response: JsonText }
  | { readonly status: 'failed'; readonly error: DeviceError }
  | { readonly status: 'pending'; readonly dueAt: Date | null }
  | { readonly status: 'skipped' }
)

/** Outcomes of one claim. */
export interface OutcomesOf<Claimed> {
  readonly claim: Claimed
  readonly outcomes: readonly DeviceOutcome[]
}

/** What came of the outcomes of one claim. */
export interface Recorded {
  /** How many outcomes were written. The others came from a lost claim. */
  readonly count: number
  /** Whether a chunk has no open device any more. Then the job may be complete. */
  readonly isChunkClosed: boolean
  /** When the job was cancelled; null: it was not, when this was written. */
  readonly cancelledAt: Date | null
}

/**
 * Records first attempts of claimed chunks, of any jobs, and moves the counters of each chunk by exactly the rows that it writes. Each
 * claim is guarded by its fence: a worker that lost one writes nothing for it. May be called several times for one claim; the last
 * outcome ends the claim. The result has an entry for each record.
 */
export async function recordFirstAttempts(
  db: Db,
  records: readonly OutcomesOf<ClaimedChunk>[],
  now: Date,
): Promise<Recorded[]> {
  const claims = records.map(({ claim: { job, chunkNo, fence } }, claimNo) => ({
    claim_no: claimNo,
    week: job.week,
    job_key: job.key,
    chunk_no: chunkNo,
    fence,
  }))
  const outcomes = records.flatMap((record, claimNo) =>
    record.outcomes.map((outcome) => toRow(outcome, { claim_no: claimNo })),
  )
  const found = await prepared<RecordedRow>(
    db,
    'recordFirstAttempts',
    sql`
    with claim as (
      select c.week, c.job_key, c.chunk_no, claimed.claim_no
        from chunks c
        join json_to_recordset(${JSON.stringify(claims)}::json)
             as claimed (claim_no int, week date, job_key bigint, chunk_no int, fence int) using (week, job_key, chunk_no)
       where c.status = 'leased' and c.fence = claimed.fence
       order by c.job_key, c.chunk_no
         for update of c),
    recorded as (
      insert into device_jobs (week, job_key, chunk_no, device_id, status, attempt, deliveries, unknown_deliveries,
                               delivered_at, due_at, updated_at, response, error_code, error_text, attempts, not_nows)
      select week, job_key, chunk_no, device_id, status, 1, (delivered_at is not null)::int, is_unknown::int,
             delivered_at, due_at, ${at(now)}, response::json, error_code, error_text,
             case when kept is not null then jsonb_build_array(kept) end, nullif(is_not_now::int, 0)
        from claim
        join ${outcomeRows(outcomes, sql`claim_no int`)} using (claim_no)
          on conflict do nothing
      returning week, job_key, chunk_no, status),
    ${counted}
    update chunks c
       set attempted = attempted + n,
           status = case when attempted + n = device_count then 'attempted' else status end,
           ${movedCounters}
      from claim
      join counted using (week, job_key, chunk_no)
     where c.week = claim.week and c.job_key = claim.job_key and c.chunk_no = claim.chunk_no
    returning claim_no, n as count, not is_open as is_closed, ${cancelledAt} as cancelled_at`,
  )
  return records.map((_, claimNo) => recordedOf(found, claimNo))
}

/**
 * Records later attempts, of any jobs, each guarded by its own attempt number, and moves the chunks' counters by the rows that it changes.
 * The result has an entry for each record.
 */
export async function recordLaterAttempts(
  db: Db,
  records: readonly OutcomesOf<ClaimedDeviceJobs>[],
  now: Date,
): Promise<Recorded[]> {
  const outcomes = records.flatMap(({ claim, outcomes }, claimNo) => {
    const attempts = new Map<string, number>(claim.attempts.map(({ deviceId, attempt }) => [deviceId, attempt]))
    const of = (deviceId: string) => ({
      claim_no: claimNo,
      week: claim.job.week,
      job_key: claim.job.key,
      attempt: attempts.get(deviceId) ?? 0,
    })
    return outcomes.map((outcome) => toRow(outcome, of(outcome.deviceId)))
  })
  const found = await prepared<RecordedRow>(
    db,
    'recordLaterAttempts',
    sql`
    with outcome as materialized (
      select * from ${outcomeRows(outcomes, sql`claim_no int, week date, job_key bigint, attempt int`)}),
    claim as (
      select r.week, r.job_key, r.device_id
        from device_jobs r
        join outcome o using (week, job_key, device_id)
       where r.status = 'running' and r.attempt = o.attempt
       order by r.week, r.job_key, r.device_id
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
             error_text = o.error_text,
             attempts = ${withKept},
             not_nows = case when o.is_not_now then coalesce(r.not_nows, 0) + 1 else r.not_nows end
        from outcome o
        join claim using (week, job_key, device_id)
       where r.week = o.week and r.job_key = o.job_key and r.device_id = o.device_id
         and r.status = 'running' and r.attempt = o.attempt
      returning o.claim_no, r.week, r.job_key, r.chunk_no, r.status),
    ${counted},
    locked as (
      select counted.*
        from chunks c
        join counted using (week, job_key, chunk_no)
       order by c.job_key, c.chunk_no
         for update of c),
    moved as (
      update chunks c
         set ${movedCounters}
        from locked
       where c.week = locked.week and c.job_key = locked.job_key and c.chunk_no = locked.chunk_no
      returning c.week, c.job_key, c.chunk_no, not is_open as is_closed, ${cancelledAt} as cancelled_at)
    select claim_no, count(*)::int as count, bool_or(is_closed) as is_closed, min(cancelled_at) as cancelled_at
      from recorded
      join moved using (week, job_key, chunk_no)
     group by claim_no`,
  )
  return records.map((_, claimNo) => recordedOf(found, claimNo))
}

interface RecordedRow extends Record<string, unknown> {
  readonly claim_no: number
  readonly count: number
  readonly is_closed: boolean
  readonly cancelled_at: string | null
}

function recordedOf(found: readonly RecordedRow[], claimNo: number): Recorded {
  const own = found.find((row) => row.claim_no === claimNo)
  return {
    count: own?.count ?? 0,
    isChunkClosed: own?.is_closed ?? false,
    cancelledAt: instantOrNull(own?.cancelled_at ?? null),
  }
}

function toRow<Place>(outcome: DeviceOutcome, place: Place) {
  return {
    ...place,
    device_id: outcome.deviceId,
    status: outcome.status,
    is_unknown: outcome.isUnknown ?? false,
    delivered_at: outcome.deliveredAt?.toISOString() ?? null,
    due_at: outcome.status === 'pending' ? (outcome.dueAt?.toISOString() ?? 'infinity') : null,
    // As text in the JSON: a device's answer may hold U+0000, which Postgres would refuse to take out of it.
    response: outcome.status === 'completed' ? outcome.response : null,
    error_code: outcome.status === 'failed' ? outcome.error.code : null,
    error_text: outcome.status === 'failed' ? outcome.error.description : null,
    kept: outcome.kept ?? undefined,
    is_not_now: outcome.isNotNow,
  }
}

/** As one JSON parameter: of arrays, the driver only knows how to send those of texts. `place`: the columns beside those of an outcome. */
function outcomeRows(outcomes: readonly object[], place: SQL): SQL {
  return sql`json_to_recordset(${JSON.stringify(outcomes)}::json) as o (
    ${place}, device_id text, status text, is_unknown boolean, delivered_at timestamptz, due_at timestamptz,
    response text, error_code text, error_text text, kept jsonb, is_not_now boolean)`
}

/** The oldest one gives way to the eleventh. */
const withKept = sql.raw(
  `case when o.kept is null then r.attempts
                  when jsonb_array_length(r.attempts) >= 10 then (r.attempts - 0) || o.kept
                  else coalesce(r.attempts, '[]') || o.kept end`,
)

const counted = sql.raw(
  `counted as (
      select week, job_key, chunk_no,
             count(*)::int as n,
             (count(*) filter (where status = 'completed'))::int as n_completed,
             (count(*) filter (where status = 'failed'))::int as n_failed,
             (count(*) filter (where status = 'pending'))::int as n_pending,
             (count(*) filter (where status = 'skipped'))::int as n_skipped
        from recorded
       group by week, job_key, chunk_no)`,
)

/** If the rest of a chunk has ended, a device that would be attempted again has ended with it. */
const movedCounters = sql.raw(
  `running = running - n,
           succeeded = succeeded + n_completed,
           failed = failed + n_failed + case rest when 'expired' then n_pending else 0 end,
           canceled = canceled + n_skipped + case rest when 'canceled' then n_pending else 0 end,
           skipped = skipped + n_skipped`,
)

/** The devices of a chunk that had not started were canceled then. */
const cancelledAt = sql.raw(`case rest when 'canceled' then rest_at::text end`)
