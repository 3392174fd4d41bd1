import type { JobKey } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { at } from '../../postgres/sql.ts'
import { mayTry } from '../next-try.ts'
import { readyWork } from '../sweeps/work.ts'

/** Whether a row of `jobs` may start now, if a place is free. */
export function isDue(now: Date): SQL {
  return sql`(
    jobs.status in ('queued', 'scheduled')
    and greatest(jobs.start_at, jobs.created_at) <= ${at(now)}
    and jobs.paused_at is null
    and ${mayTry(sql`jobs.not_before`, now)})`
}

/**
 * The higher priority first, then the earlier start. A job that was to start before it was made does not overtake those that were there.
 */
export const startOrder: SQL = sql.raw('-jobs.priority, greatest(jobs.start_at, jobs.created_at), jobs.job_key')

/** How many due jobs come before this one. A job whose window is over takes no place, so it is not counted. */
export function jobsAhead(key: JobKey, now: Date): SQL {
  return sql`(
    select count(*)::int
      from jobs
     where ${isDue(now)}
       and jobs.deadline_at > ${at(now)}
       and (${startOrder}) < (select ${startOrder} from jobs where job_key = ${key}))`
}

/**
 * How many places running jobs hold. A job holds one if something of it can be done now or is under way. A job that only waits, for
 * devices, for the time of its next attempt, for its next stage or for the end of its pause, holds none, and takes none when it goes on.
 * What is leased is little: the workers have room for no more.
 */
export function placesTaken(now: Date): SQL {
  return sql`(
    with recursive ${readyWork(now)},
    holding as (
      select job_key from chunk_work
       union
      select job_key from due_work
       union
      select job_key from chunks where status = 'leased'
       union
      select job_key from device_jobs where status = 'running')
    select count(*)::int
      from holding
     where (select status = 'running' and paused_at is null from jobs where jobs.job_key = holding.job_key))`
}
