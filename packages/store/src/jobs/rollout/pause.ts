import { type Job, type JobKey, type JobStatus, type JobType, jobKey } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { at, type Db, instant, rows } from '../../postgres/sql.ts'
import { type Asker, jobEvent } from '../job-events.ts'

export interface Pause {
  readonly asker: Asker
  /** For people. Null: nobody gave one. */
  readonly reason: string | null
  /** The pause cancels the job after so many seconds. Absent: what the job itself says. */
  readonly timeoutSeconds?: number | undefined
  /** The stop that pauses it, with others. */
  readonly stopNo?: number | undefined
}

/**
 * Pauses a job that has not ended: from the commit on no claim of it succeeds, what is in flight may finish, and its window stands still.
 * False: it has ended, is paused already, or runs and its window is over: that is left to end.
 */
export async function pauseJob(tx: Db, key: JobKey, pause: Pause, now: Date): Promise<boolean> {
  return (await pauseJobs(tx, sql`job_key = ${key}`, pause, now)).length === 1
}

/** Ends the pause of a job. False: it has ended, or is not paused. */
export async function resumeJob(tx: Db, key: JobKey, { asker }: Pick<Pause, 'asker'>, now: Date): Promise<boolean> {
  return (await resumeJobs(tx, sql`job_key = ${key}`, asker, now)).length === 1
}

/** Beyond every window. No infinity, because a process of the version before reads it as a time. */
const farAhead = sql.raw(`timestamptz '9999-12-31 00:00:00+00'`)
const hasNotEnded = sql.raw(`status in ('queued', 'scheduled', 'running')`)

/** Pauses the jobs for which a predicate on `jobs` is true, in one statement. Locks them by their keys, so that two stops cannot wait for one another. */
export async function pauseJobs(
  tx: Db,
  which: SQL,
  { asker, reason, timeoutSeconds, stopNo }: Pause,
  now: Date,
): Promise<readonly JobKey[]> {
  const paused = await rows<{ job_key: string }>(
    tx,
    sql`
    with found as materialized (
      select job_key from jobs
       where ${which} and ${hasNotEnded} and paused_at is null
         and (status <> 'running' or deadline_at > ${at(now)})
       order by job_key
         for no key update),
    paused as (
      update jobs
         set paused_at = ${at(now)},
             paused_by = ${asker.actor},
             pause_reason = ${reason},
             pause_ends_at = ${at(now)} + coalesce(${timeoutSeconds ?? null}::int, pause_timeout_seconds) * interval '1 second',
             stop_no = ${stopNo ?? null},
             window_left = deadline_at - ${at(now)},
             deadline_at = ${farAhead}
        from found
       where jobs.job_key = found.job_key and ${hasNotEnded} and paused_at is null
         and (status <> 'running' or deadline_at > ${at(now)})
      returning jobs.job_key),
    ${jobEvent({ kind: 'paused', now, asker, fields: reasonField(reason) }, sql`paused`)}
    select job_key::text from paused`,
  )
  return paused.map((job) => jobKey(job.job_key))
}

/** What is needed to wake a job that was resumed. */
export type Resumed = Pick<Job, 'key' | 'type' | 'priority' | 'status' | 'startTime'>

/** Ends the pauses of the jobs for which a predicate on `jobs` is true. Their windows, and the soaks of their stages, go on where they stood. */
export async function resumeJobs(tx: Db, which: SQL, asker: Asker, now: Date): Promise<readonly Resumed[]> {
  const resumed = await rows<ResumedRow>(
    tx,
    sql`
    with found as materialized (
      select job_key, paused_at from jobs
       where ${which} and ${hasNotEnded} and paused_at is not null
       order by job_key
         for no key update),
    resumed as (
      update jobs
         set deadline_at = coalesce(${at(now)} + window_left, deadline_at),
             window_left = null, paused_at = null, paused_by = null, pause_reason = null, pause_ends_at = null
        from found
       where jobs.job_key = found.job_key and ${hasNotEnded} and jobs.paused_at is not null
      returning jobs.job_key, type, priority, status, start_at),
    soaking as (
      update stages
         set met_at = met_at + (${at(now)} - found.paused_at)
        from found
       where stages.job_key = found.job_key and met_at is not null and closed_at is null),
    ${jobEvent({ kind: 'resumed', now, asker }, sql`resumed`)}
    select job_key::text, type, priority, status, start_at::text from resumed`,
  )
  return resumed.map(({ job_key, type, priority, status, start_at }) => ({
    key: jobKey(job_key),
    type,
    priority,
    status,
    startTime: instant(start_at),
  }))
}

interface ResumedRow extends Record<string, unknown> {
  readonly job_key: string
  readonly type: JobType
  readonly priority: number
  readonly status: JobStatus
  readonly start_at: string
}

function reasonField(reason: string | null): SQL {
  return sql`jsonb_strip_nulls(jsonb_build_object('reason', ${reason}::text))`
}
