import { type SQL, sql } from 'drizzle-orm'
import { at } from '../postgres/sql.ts'
import { mayTry } from './next-try.ts'

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
 * Whether a row of `jobs` holds a place: it runs, and something of it can be done now or is under way. A job that only waits, for
 * devices or for the time of its next attempt, holds none, and takes none when it goes on. What is leased is little: the workers have
 * room for no more.
 */
export function holdsPlace(now: Date): SQL {
  return sql`(
    jobs.status = 'running' and (
      exists (select from chunks c
               where c.week = jobs.week and c.job_key = jobs.job_key and c.status = 'ready'
                 and ${mayTry(sql`c.not_before`, now)})
      or jobs.job_key in (select job_key from chunks where status = 'leased')
      or jobs.job_key in (select job_key from device_jobs where status = 'running')
      or exists (select from device_jobs r
                   join chunks c using (week, job_key, chunk_no)
                  where r.week = jobs.week and r.job_key = jobs.job_key
                    and r.status = 'pending' and r.due_at <= ${at(now)} and r.due_at < 'infinity'
                    and c.rest is null)))`
}
