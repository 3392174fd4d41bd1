import { type JobKey, jobKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { at, type Db, rows } from '../../postgres/sql.ts'
import { isDue, startOrder } from '../start/places.ts'

/** Due jobs that are queued or scheduled, in the order in which `startJob` starts them. Those whose window is over need no place. */
export async function findDueJobs(db: Db, { limit }: { readonly limit: number }, now: Date): Promise<JobKey[]> {
  const found = await rows<{ job_key: string }>(
    db,
    sql`
    select job_key::text
      from jobs
     where ${isDue(now)}
     order by deadline_at > ${at(now)}, ${startOrder}
     limit ${limit}`,
  )
  return found.map((row) => jobKey(row.job_key))
}
