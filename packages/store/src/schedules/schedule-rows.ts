import type { Extensions, JobType, JsonObject, Rhythm } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { instant, instantOrNull } from '../postgres/sql.ts'
import type { CatchUp, Overlap, Schedule } from './schedule.ts'

export const scheduleColumns = sql.raw(
  `schedule_id, cron, time_zone, every_seconds, anchor_at::text, overlap, catch_up, start_at::text, end_at::text, max_runs, type,
   query_condition, target_ids, body, max_execution_seconds, extensions, created_at::text, updated_at::text, actor, next_at::text,
   waiting_at::text, run_count, skipped_count, missed_count, last_run_at::text, last_job_id, last_skipped_at::text,
   last_missed_at::text`,
)

export interface ScheduleRow extends Record<string, unknown> {
  readonly schedule_id: string
  readonly cron: string | null
  readonly time_zone: string | null
  readonly every_seconds: number | null
  readonly anchor_at: string | null
  readonly overlap: Overlap
  readonly catch_up: CatchUp
  readonly start_at: string | null
  readonly end_at: string | null
  readonly max_runs: number | null
  readonly type: JobType
  readonly query_condition: string
  readonly target_ids: readonly string[] | null
  readonly body: JsonObject
  readonly max_execution_seconds: number
  readonly extensions: Extensions
  readonly created_at: string
  readonly updated_at: string
  readonly actor: string | null
  readonly next_at: string | null
  readonly waiting_at: string | null
  readonly run_count: number
  readonly skipped_count: number
  readonly missed_count: number
  readonly last_run_at: string | null
  readonly last_job_id: string | null
  readonly last_skipped_at: string | null
  readonly last_missed_at: string | null
}

export function toSchedule(row: ScheduleRow): Schedule {
  return {
    scheduleId: row.schedule_id,
    times: { rhythm: rhythmOf(row), startAt: instantOrNull(row.start_at), endAt: instantOrNull(row.end_at) },
    overlap: row.overlap,
    catchUp: row.catch_up,
    maxRuns: row.max_runs,
    job: {
      type: row.type,
      target:
        row.target_ids === null
          ? { kind: 'condition', queryCondition: row.query_condition }
          : { kind: 'devices', deviceIds: row.target_ids },
      queryCondition: row.query_condition,
      body: row.body,
      maxExecutionTimeInSeconds: row.max_execution_seconds,
      extensions: row.extensions,
    },
    createdTime: instant(row.created_at),
    updatedTime: instant(row.updated_at),
    actor: row.actor,
    nextTime: instantOrNull(row.next_at),
    waitingTime: instantOrNull(row.waiting_at),
    runCount: row.run_count,
    skippedCount: row.skipped_count,
    missedCount: row.missed_count,
    lastRunTime: instantOrNull(row.last_run_at),
    lastJobId: row.last_job_id,
    lastSkippedTime: instantOrNull(row.last_skipped_at),
    lastMissedTime: instantOrNull(row.last_missed_at),
  }
}

function rhythmOf({ schedule_id, cron, time_zone, every_seconds, anchor_at }: ScheduleRow): Rhythm {
  if (cron !== null && time_zone !== null) return { kind: 'cron', cron, timeZone: time_zone }
  if (every_seconds !== null && anchor_at !== null) {
    return { kind: 'every', seconds: every_seconds, anchor: instant(anchor_at) }
  }
  throw new Error(`the schedule ${schedule_id} has neither cron nor seconds`)
}
