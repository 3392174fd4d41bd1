import {
  type AbortCriterion,
  type Extensions,
  type JobKey,
  type JobStatus,
  type JobType,
  jobKey,
  type StageAbort,
} from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { type Db, instantOrNull, rows } from '../../postgres/sql.ts'
import type { Gate, GatedStage } from './gate.ts'

/** Whether a job has gates, or conditions by which it stops. */
export function isWatched({ rollout, abort }: Extensions): boolean {
  return rollout?.stages !== undefined || abort !== undefined
}

/** A job that has started, with its stages. */
export interface StagedJob {
  readonly key: JobKey
  readonly type: JobType
  readonly priority: number
  readonly status: JobStatus
  readonly week: string
  readonly endTime: Date | null
  readonly pausedAt: Date | null
  readonly openStage: number
  readonly criteria: readonly AbortCriterion[]
  readonly firedCriteria: readonly number[]
  /** At least one. */
  readonly stages: readonly StageRow[]
}

/** A stage and the sums of its chunks. */
export interface StageRow {
  readonly stageNo: number
  readonly deviceCount: number
  readonly succeeded: number
  readonly failed: number
  readonly running: number
  /** With those that were skipped. */
  readonly canceled: number
  readonly skipped: number
  /** The gate before it. */
  readonly opensWhen: Gate | null
  readonly abortWhen: StageAbort | null
  readonly openedAt: Date | null
  readonly closedAt: Date | null
  readonly reason: string | null
  readonly metAt: Date | null
  readonly heldAt: Date | null
  readonly abortedAt: Date | null
}

/**
 * A job that has started, with its stages, in one snapshot. `isWanted`, a predicate on `jobs`, selects one; `isCounted`, a predicate on
 * `chunks c` and `job`, leaves out chunks that need not be counted. Null: there is none.
 */
export async function readStagedJob(db: Db, isWanted: SQL, isCounted: SQL): Promise<StagedJob | null> {
  const found = await rows<FoundRow>(
    db,
    sql`
    with job as materialized (select * from jobs where week is not null and ${isWanted}),
    counted as materialized (
      select c.stage_no, sum(c.succeeded)::int as succeeded, sum(c.failed)::int as failed, sum(c.running)::int as running,
             sum(c.canceled)::int as canceled, sum(c.skipped)::int as skipped
        from job
        join chunks c on c.week = job.week and c.job_key = job.job_key
       where ${isCounted}
       group by c.stage_no)
    select job.job_key::text, job.type, job.priority, job.status, job.week::text, job.ended_at::text, job.paused_at::text, job.open_stage,
           job.abort_when as criteria, job.fired_criteria, s.stage_no, s.device_count,
           coalesce(succeeded, 0) as succeeded, coalesce(failed, 0) as failed, coalesce(running, 0) as running,
           coalesce(canceled, 0) as canceled, coalesce(skipped, 0) as skipped, s.opens_when, s.abort_when, s.opened_at::text, s.closed_at::text, s.reason,
           s.met_at::text, s.held_at::text, s.aborted_at::text
      from job
      join stages s on s.job_key = job.job_key
      left join counted on counted.stage_no = s.stage_no
     order by s.stage_no`,
  )
  const [job] = found
  if (job === undefined) return null
  return {
    key: jobKey(job.job_key),
    type: job.type,
    priority: job.priority,
    status: job.status,
    week: job.week,
    endTime: instantOrNull(job.ended_at),
    pausedAt: instantOrNull(job.paused_at),
    openStage: job.open_stage,
    criteria: job.criteria ?? [],
    firedCriteria: job.fired_criteria,
    stages: found.map(toStage),
  }
}

interface FoundRow extends Record<string, unknown> {
  readonly job_key: string
  readonly type: JobType
  readonly priority: number
  readonly status: JobStatus
  readonly week: string
  readonly ended_at: string | null
  readonly paused_at: string | null
  readonly open_stage: number
  readonly criteria: readonly AbortCriterion[] | null
  readonly fired_criteria: readonly number[]
  readonly stage_no: number
  readonly device_count: number
  readonly succeeded: number
  readonly failed: number
  readonly running: number
  readonly canceled: number
  readonly skipped: number
  readonly opens_when: Gate | null
  readonly abort_when: StageAbort | null
  readonly opened_at: string | null
  readonly closed_at: string | null
  readonly reason: string | null
  readonly met_at: string | null
  readonly held_at: string | null
  readonly aborted_at: string | null
}

function toStage(row: FoundRow): StageRow {
  const { succeeded, failed, running, canceled, skipped, reason } = row
  return {
    stageNo: row.stage_no,
    deviceCount: row.device_count,
    succeeded,
    failed,
    running,
    canceled,
    skipped,
    opensWhen: row.opens_when,
    abortWhen: row.abort_when,
    openedAt: instantOrNull(row.opened_at),
    closedAt: instantOrNull(row.closed_at),
    reason,
    metAt: instantOrNull(row.met_at),
    heldAt: instantOrNull(row.held_at),
    abortedAt: instantOrNull(row.aborted_at),
  }
}

/** Devices of a stage that have not ended. */
function openCountOf({ deviceCount, succeeded, failed, canceled }: StageRow): number {
  return deviceCount - succeeded - failed - canceled
}

/** The next stage that has devices. Null: there is none. */
export function nextStage({ stages, openStage }: StagedJob): StageRow | null {
  return stages.find(({ stageNo, deviceCount }) => stageNo > openStage && deviceCount > 0) ?? null
}

/** The open stage and the gate behind it. Null: no stage with devices follows. */
export function gatedStage(job: StagedJob): GatedStage | null {
  const { stages, openStage } = job
  const open = stages[openStage]
  const gate = stages[openStage + 1]?.opensWhen
  if (open === undefined || gate == null || nextStage(job) === null) return null
  return {
    ...open,
    gate,
    openCount: openCountOf(open),
    openSoFar: stages.slice(0, openStage + 1).reduce((sum, stage) => sum + openCountOf(stage), 0),
  }
}
