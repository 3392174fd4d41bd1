import { sql } from 'drizzle-orm'
import { type Db, rows } from '../../postgres/sql.ts'
import { isDrained, summedChunks } from '../jobs.ts'

/**
 * Keeps the statistics of ended jobs in their rows, so that a list of jobs need not sum their chunks. A job has its turn when none of its
 * devices is in flight: from then on its counters do not move. Returns how many there were.
 */
export async function keepStatistics(db: Db, { limit }: { readonly limit: number }): Promise<number> {
  const kept = await rows(
    db,
    sql`
    update jobs
       set final_counts = ${summedChunks}
     where job_key in (
       select job_key from jobs
        where ended_at is not null and frozen_at is not null and final_counts is null
          and ${isDrained}
        order by job_key
        limit ${limit}
        for update skip locked)
       and final_counts is null
    returning job_key`,
  )
  return kept.length
}
