import { type SQL, sql } from 'drizzle-orm'
import { at } from '../postgres/sql.ts'
import { mayTry } from './next-try.ts'
import { readyWork } from './work.ts'

/** Whether a row of `jobs` may start now, if a place is free. */
export function isDue(now: Date): SQL {
  return sql`(
    jobs.status in ('queued', 'scheduled')
    and greatest(jobs.start_at, jobs.created_at) <= ${at(now)}
    and ${mayTry(sql`jobs.not_before`, now)})`
}

/** Earlier starts first. A job that was to start before it was made does not overtake those that were there. */
export const startOrder: SQL = sql.raw('greatest(jobs.start_at, jobs.created_at), jobs.job_key')

/**
 * How many places running jobs hold. A job holds one if something of it can be done now or is under way. A job that only waits, for
 * devices or for the time of its next attempt, holds none, and takes none when it goes on. What is leased is little: the workers have
 * room for no more.
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
     where (select status = 'running' from jobs where jobs.job_key = holding.job_key))`
}
