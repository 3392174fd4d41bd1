import { type Extensions, type JobKey, type JobStatus, type JsonObject, jobKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { type Db, instant, instantOrNull, rows } from '../../postgres/sql.ts'

/** A job as the questions about it need it. */
export interface AskedJob {
  readonly key: JobKey
  readonly status: JobStatus
  /** Null: its target set is not frozen. */
  readonly week: string | null
  readonly body: JsonObject
  readonly extensions: Extensions
  /** When it was to start: not before it was made. */
  readonly startAt: Date
  /** While it is paused: far ahead. */
  readonly deadlineAt: Date
  readonly endedAt: Date | null
  readonly failureReason: string | null
  readonly attempts: number
  readonly notBefore: Date | null
  readonly openStage: number
  readonly pausedAt: Date | null
  readonly pausedBy: string | null
  readonly pauseReason: string | null
  readonly pauseEndsAt: Date | null
  readonly stopNo: string | null
  readonly rate: number | null
  readonly rateFreeAt: Date | null
  readonly maxInFlight: number | null
  readonly isContinuous: boolean
  readonly zones: readonly string[] | null
}

/** Null: there is none of this id. */
export async function readAskedJob(db: Db, jobId: string): Promise<AskedJob | null> {
  const [row] = await rows<AskedRow>(
    db,
    sql`
    select job_key::text, status, week::text, body, extensions, greatest(start_at, created_at)::text as start_at, deadline_at::text,
           ended_at::text, failure_reason, attempts, not_before::text, open_stage, paused_at::text, paused_by, pause_reason,
           pause_ends_at::text, stop_no::text, rate, rate_free_at::text, max_in_flight, is_continuous, zones
      from jobs
     where job_id = ${jobId}`,
  )
  if (row === undefined) return null
  return {
    key: jobKey(row.job_key),
    status: row.status,
    week: row.week,
    body: row.body,
    extensions: row.extensions,
    startAt: instant(row.start_at),
    deadlineAt: instant(row.deadline_at),
    endedAt: instantOrNull(row.ended_at),
    failureReason: row.failure_reason,
    attempts: row.attempts,
    notBefore: instantOrNull(row.not_before),
    openStage: row.open_stage,
    pausedAt: instantOrNull(row.paused_at),
    pausedBy: row.paused_by,
    pauseReason: row.pause_reason,
    pauseEndsAt: instantOrNull(row.pause_ends_at),
    stopNo: row.stop_no,
    rate: row.rate,
    rateFreeAt: instantOrNull(row.rate_free_at),
    maxInFlight: row.max_in_flight,
    isContinuous: row.is_continuous,
    zones: row.zones,
  }
}

interface AskedRow extends Record<string, unknown> {
  readonly job_key: string
  readonly status: JobStatus
  readonly week: string | null
  readonly body: JsonObject
  readonly extensions: Extensions
  readonly start_at: string
  readonly deadline_at: string
  readonly ended_at: string | null
  readonly failure_reason: string | null
  readonly attempts: number
  readonly not_before: string | null
  readonly open_stage: number
  readonly paused_at: string | null
  readonly paused_by: string | null
  readonly pause_reason: string | null
  readonly pause_ends_at: string | null
  readonly stop_no: string | null
  readonly rate: number | null
  readonly rate_free_at: string | null
  readonly max_in_flight: number | null
  readonly is_continuous: boolean
  readonly zones: readonly string[] | null
}
