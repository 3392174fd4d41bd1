import { type JobKey, jobKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { at, type Db, rows } from '../../postgres/sql.ts'

/** Due jobs that are queued or scheduled, in the order in which `startJob` starts them. An unqualified name would sort by text. */
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
