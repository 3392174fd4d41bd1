import { type JobKey, jobKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { at, type Db, instant, rows } from '../../postgres/sql.ts'

/** Queued jobs that start later. Their wake-up may not be on the bus. */
export async function findUnscheduledJobs(
  db: Db,
  { limit }: { readonly limit: number },
  now: Date,
): Promise<{ key: JobKey; startAt: Date }[]> {
  const found = await rows<{ job_key: string; start_at: string }>(
    db,
    sql`
    select job_key::text, start_at::text
      from jobs
     where status = 'queued' and start_at > ${at(now)}
     order by jobs.start_at
     limit ${limit}`,
  )
  return found.map((row) => ({ key: jobKey(row.job_key), startAt: instant(row.start_at) }))
}
