import { type SQL, sql } from 'drizzle-orm'
import { at } from '../../postgres/sql.ts'
import { mayTry } from '../next-try.ts'

/**
 * Tables for the beginning of a statement, after `with recursive`: `chunk_work` and `due_work`, the `job_key` and `deadline_at` of
 * each running job of which a chunk, or a device job, of an open stage can be attempted now; other rows have no `job_key`. A job that waits
 * for its rate has none. What they cost grows with the jobs that have work, and not with those that run and wait.
 */
export function readyWork(now: Date): SQL {
  const chunk = sql`
    select true
      from chunks c
     where c.week = running.week and c.job_key = running.job_key and c.status = 'ready' and c.attempted < c.device_count
       and c.stage_no <= running.open_stage
       and ${mayTry(sql`c.not_before`, now)}
     limit 1`
  const dueDeviceJob = sql`select true ${dueDeviceJobsOf(sql`running`, now)} limit 1`
  return sql`
    chunk_work ${leaps(sql`chunk_work`, sql`chunks where status = 'ready'`, chunk, now)},
    due_work ${leaps(sql`due_work`, sql`device_jobs where status = 'pending' and due_at < 'infinity'`, dueDeviceJob, now)}`
}

/** From `from` on: the device jobs `r` of a row of a job that can be attempted at this time, with their chunk `c`. */
export function dueDeviceJobsOf(job: SQL, time: Date): SQL {
  return sql`
      from device_jobs r
      join chunks c using (week, job_key, chunk_no)
     where r.week = ${job}.week and r.job_key = ${job}.job_key
       and r.status = 'pending' and r.due_at <= ${at(time)} and r.due_at < 'infinity'
       and c.rest is null and c.status <> 'held' and c.stage_no <= ${job}.open_stage`
}

/**
 * The running jobs among those with rows in an index, if they have work: in leaps along the index, from one job to the next. The other leg
 * leaps along the running jobs, because an ended or paused job may have rows there.
 */
function leaps(self: SQL, indexed: SQL, work: SQL, now: Date): SQL {
  return sql`(job_key, deadline_at, next) as (
      select null::bigint, null::timestamptz, 0::bigint
       union all
      select case when running.job_key = found.job_key and (${work}) then running.job_key end,
             running.deadline_at,
             running.job_key + (running.job_key = found.job_key)::int
        from ${self} as leap,
             lateral (select job_key from ${indexed} and job_key >= leap.next order by job_key limit 1) as found,
             lateral (select job_key, week, deadline_at, open_stage from jobs
                       where status = 'running' and paused_at is null and ${mayTry(sql`rate_free_at`, now)}
                         and jobs.job_key >= found.job_key
                       order by job_key limit 1) as running)`
}
