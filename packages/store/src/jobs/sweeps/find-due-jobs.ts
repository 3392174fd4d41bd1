import { type JobKey, jobKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { at, type Db, rows } from '../../postgres/sql.ts'

/** Queued and scheduled jobs that are due, in the order in which `startJob` lets them start: a bare name would sort by text. */
export async function findDueJobs(db: Db, { limit }: { readonly limit: number }, now: Date): Promise<JobKey[]> {
  const found = await rows<{ job_key: string }>(
    db,
    sql`
    select job_key::text
      from jobs
     where status in ('queued', 'scheduled')
       and start_at <= ${at(now)}
     order by jobs.start_at, jobs.job_key
     limit ${limit}`,
  )
  return found.map((row) => jobKey(row.job_key))
}
