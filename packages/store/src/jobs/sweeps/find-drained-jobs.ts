import { type JobKey, jobKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { type Db, rows } from '../../postgres/sql.ts'
import { isDrained } from '../jobs.ts'
import { isFinal } from '../rollout/continuous.ts'

/** Running jobs without an open chunk, among the next `limit` after a job. `last`: the last of these; null at the end of the list. */
export async function findDrainedJobs(
  db: Db,
  { limit, after }: { readonly limit: number; readonly after: JobKey | null },
  now: Date,
): Promise<{ readonly drained: readonly JobKey[]; readonly last: JobKey | null }> {
  const looked = await rows<{ job_key: string; is_drained: boolean }>(
    db,
    sql`
    select job_key::text, ${isDrained} and ${isFinal(now)} as is_drained
      from jobs
     where status = 'running' and jobs.job_key > ${after ?? 0}::bigint
     order by jobs.job_key
     limit ${limit}`,
  )
  const keys = looked.map((row) => jobKey(row.job_key))
  return {
    drained: keys.filter((_, index) => looked[index]?.is_drained),
    last: keys.length < limit ? null : (keys.at(-1) ?? null),
  }
}
