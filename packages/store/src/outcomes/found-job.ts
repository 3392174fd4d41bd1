import type { DeviceJobStatistics } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { statistics } from '../jobs/jobs.ts'
import { toStatistics } from '../jobs/statistics.ts'
import type { Search } from '../postgres/query-time.ts'

/** A job whose devices are read. */
export interface FoundJob {
  /** A job that is made later under the same id has another one. */
  readonly key: string
  /** Null: its target set is not frozen. */
  readonly frozen: FrozenJob | null
}

export interface FrozenJob {
  readonly key: string
  /** The partition of its chunks and device jobs. */
  readonly week: string
  readonly statistics: DeviceJobStatistics
}

/** A job with its counters, in the snapshot of the search. Null: there is none of this id. */
export async function findJob(search: Search, jobId: string): Promise<FoundJob | null> {
  const [row] = await search<{ key: string; week: string | null; counts: readonly number[] | null }>(sql`
    select job_key::text as key, week::text, ${statistics}
      from jobs
     where job_id = ${jobId}`)
  if (row === undefined) return null
  const { key, week } = row
  return { key, frozen: week === null ? null : { key, week, statistics: toStatistics(row.counts ?? []) } }
}

/** A predicate on the rows of one partition: those of this job, of `table`, which is an alias of `chunks` or `device_jobs`. */
export function ofJob({ key, week }: FrozenJob, table: 'c' | 'r'): SQL {
  const alias = sql.raw(table)
  return sql`${alias}.week = ${week}::date and ${alias}.job_key = ${key}::bigint`
}
