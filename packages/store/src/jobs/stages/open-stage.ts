import type { JobKey, JobStatus, JobType } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { briefly } from '../../postgres/briefly.ts'
import { at, type Db, rows } from '../../postgres/sql.ts'
import { type Asker, jobEvent } from '../job-events.ts'
import { resumeJob } from '../rollout/pause.ts'
import { nextStage, readStagedJob, type StagedJob, type StageRow } from './stage-rows.ts'

export type NextStage =
  | {
      readonly kind: 'opened'
      readonly key: JobKey
      readonly type: JobType
      readonly priority: number
      readonly isPaused: boolean
    }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'missing' }

/**
 * Opens the next stage of a running job that has devices, whatever the gate before it says. If that gate has paused the job, it goes on.
 * Of two who ask at the same time, one opens a stage and the other is refused.
 */
export async function openNextStage(db: Db, jobId: string, asker: Asker, now: Date): Promise<NextStage> {
  const [seen] = await rows<{ job_key: string; status: JobStatus; open_stage: number }>(
    db,
    sql`select job_key::text, status, open_stage from jobs where job_id = ${jobId}`,
  )
  if (seen === undefined) return { kind: 'missing' }
  if (seen.status !== 'running') return { kind: 'refused', reason: `The job is ${seen.status}, not running` }
  return briefly(db, async (tx) => {
    const locked = await rows(
      tx,
      sql`
      select job_key from jobs
       where job_key = ${seen.job_key} and status = 'running'
         and coalesce(window_left, deadline_at - ${at(now)}) > interval '0'
         for no key update`,
    )
    if (locked.length === 0) return { kind: 'refused', reason: 'The job has ended, or its window is over' }
    const job = await readStagedJob(tx, sql`job_key = ${seen.job_key}`, sql`false`)
    const next = job === null ? null : nextStage(job)
    if (job === null || next === null) return { kind: 'refused', reason: 'No stage of the job is left to open' }
    const isOpened = await openStage(tx, job, { from: seen.open_stage, next, asker, reason: 'asked for' }, now)
    if (!isOpened) return { kind: 'refused', reason: 'A stage was opened just now' }
    const isGoingOn = job.pausedAt === null || (isHeldByGate(job) && (await resumeJob(tx, job.key, { asker }, now)))
    return { kind: 'opened', key: job.key, type: job.type, priority: job.priority, isPaused: !isGoingOn }
  })
}

/** Its last open gate has paused the job, and nobody has resumed it since. */
function isHeldByGate({ stages, openStage, pausedAt }: StagedJob): boolean {
  return pausedAt !== null && stages[openStage]?.heldAt?.getTime() === pausedAt.getTime()
}

/** What opens. Empty stages between them open and close in the same moment. */
interface Opening {
  /** The stage that is open. */
  readonly from: number
  readonly next: StageRow
  readonly asker: Asker
  readonly reason: string
}

/** False: another stage than `from` is open. In the transaction that has locked the job. */
export async function openStage(tx: Db, { key }: StagedJob, opening: Opening, now: Date): Promise<boolean> {
  const { from, next, asker, reason } = opening
  const fields = sql`jsonb_build_object(
    'stageNo', ${next.stageNo}::int, 'deviceCount', ${next.deviceCount}::int, 'reason', ${reason}::text)`
  const opened = await rows(
    tx,
    sql`
    with opened as (
      update jobs set open_stage = ${next.stageNo}
       where job_key = ${key} and status = 'running' and open_stage = ${from}
      returning job_key),
    moved as (
      update stages s
         set opened_at = coalesce(opened_at, ${at(now)}),
             closed_at = case when stage_no < ${next.stageNo}::int then ${at(now)} end,
             reason = case when stage_no = ${next.stageNo}::int then ${reason} else s.reason end
        from opened
       where s.job_key = opened.job_key and stage_no between ${from}::int and ${next.stageNo}::int and closed_at is null),
    ${jobEvent({ kind: 'stage', now, asker, fields }, sql`opened`)}
    select job_key from opened`,
  )
  return opened.length > 0
}
