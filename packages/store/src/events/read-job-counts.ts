import { type DeviceJobStatistics, type JobKey, type JobStatus, jobKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { summedChunks } from '../jobs/jobs.ts'
import { toStatistics } from '../jobs/statistics.ts'
import { type Db, rows, texts } from '../postgres/sql.ts'

/** What a job has reached. */
export interface JobCounts {
  readonly key: JobKey
  readonly jobId: string
  readonly status: JobStatus
  readonly statistics: DeviceJobStatistics
}

/**
 * The counts of these jobs and, with `runningLimit`, of so many that run, the latest first. A job that has not started is left out. It reads the
 * chunks of each job: about 2 us for each.
 */
export async function readJobCounts(
  db: Db,
  { keys, runningLimit }: { readonly keys: readonly JobKey[]; readonly runningLimit: number },
): Promise<readonly JobCounts[]> {
  const found = await rows<{ job_key: string; job_id: string; status: JobStatus; counts: readonly number[] }>(
    db,
    sql`
    with watched as (
      select unnest(${texts(keys)}::bigint[]) as job_key
       union
      (select job_key from jobs where status = 'running' order by job_key desc limit ${runningLimit}))
    select job_key::text, job_id, status, coalesce(jobs.final_counts, ${summedChunks}) as counts
      from watched
      join jobs using (job_key)
     where frozen_at is not null`,
  )
  return found.map(({ job_key, job_id, status, counts }) => ({
    key: jobKey(job_key),
    jobId: job_id,
    status,
    statistics: toStatistics(counts),
  }))
}
