import { type JobKey, jobKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { at, type Db, rows } from '../../postgres/sql.ts'

/** Running jobs that have gates or conditions by which they stop, the next `limit` after a job. `last`: of these; null at the end of the list. */
export async function findWatchedJobs(
  db: Db,
  { limit, after }: { readonly limit: number; readonly after: JobKey | null },
  now: Date,
): Promise<{ readonly watched: readonly JobKey[]; readonly last: JobKey | null }> {
  const found = await rows<{ job_key: string }>(
    db,
    sql`
    select job_key::text
      from jobs
     where is_watched and status = 'running' and paused_at is null
       and deadline_at > ${at(now)} and job_key > ${after ?? 0}::bigint
     order by jobs.job_key
     limit ${limit}`,
  )
  const watched = found.map((row) => jobKey(row.job_key))
  return { watched, last: watched.length < limit ? null : (watched.at(-1) ?? null) }
}
