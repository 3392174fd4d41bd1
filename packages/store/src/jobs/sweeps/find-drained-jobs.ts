import { type JobKey, jobKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { type Db, rows } from '../../postgres/sql.ts'

/** Running jobs without an open chunk. */
export async function findDrainedJobs(db: Db, { limit }: { readonly limit: number }): Promise<JobKey[]> {
  const found = await rows<{ job_key: string }>(
    db,
    sql`
    select job_key::text
      from jobs
     where status = 'running'
       and not exists (select from chunks c
                        where c.week = jobs.week and c.job_key = jobs.job_key
                          and c.succeeded + c.failed + c.canceled < c.device_count)
     limit ${limit}`,
  )
  return found.map((row) => jobKey(row.job_key))
}
