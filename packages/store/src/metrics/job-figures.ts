import { sql } from 'drizzle-orm'
import { at, type Db, rows } from '../postgres/sql.ts'
import { boundedRead } from './bounded-read.ts'

/** No count of jobs goes higher. */
const jobsMax = 10_000

export interface JobFigures {
  readonly queued: number
  readonly scheduled: number
  readonly running: number
  /** Running jobs whose window is over. They end within seconds, or when the last of their calls has ended. */
  readonly overdue: number
  /** Of those above, whatever their status. */
  readonly paused: number
}

/**
 * Counts the jobs that have not ended, up to 10,000 that wait for their start and 10,000 that run. Ended jobs are not counted: there
 * may be many, and a counter of the processes has them. Reads the partial indexes of jobs.
 */
export async function readJobFigures(db: Db, now: Date): Promise<JobFigures> {
  const [found] = await boundedRead(db, (tx) =>
    rows<{ queued: number; scheduled: number; running: number; overdue: number; paused: number }>(
      tx,
      sql`
      with not_started as (
        select status, paused_at from jobs where status in ('queued', 'scheduled') limit ${jobsMax}),
      running as (
        select deadline_at, paused_at from jobs where status = 'running' order by deadline_at limit ${jobsMax})
      select (select count(*) from not_started where status = 'queued')::int as queued,
             (select count(*) from not_started where status = 'scheduled')::int as scheduled,
             (select count(*) from running)::int as running,
             (select count(*) from running where deadline_at <= ${at(now)})::int as overdue,
             ((select count(paused_at) from not_started) + (select count(paused_at) from running))::int as paused`,
    ),
  )
  return found ?? { queued: 0, scheduled: 0, running: 0, overdue: 0, paused: 0 }
}
