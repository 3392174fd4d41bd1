import type { JobKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { type Db, rows } from '../../postgres/sql.ts'

/** The jobs around a job by reruns. */
export interface Relatives {
  /** The job that it reruns. Null: none, or its history is over. */
  readonly parentJobId: string | null
  /** The jobs that rerun it, the oldest first, at most 100. */
  readonly childJobIds: readonly string[]
}

const childrenMax = 100

export async function readRelatives(db: Db, key: JobKey): Promise<Relatives> {
  const [found] = await rows<{ parent: string | null; children: readonly string[] }>(
    db,
    sql`
    select (select job_id from jobs parent where parent.job_key = job.parent_key) as parent,
           array(select job_id from jobs child where child.parent_key = job.job_key
                  order by child.job_key limit ${childrenMax}) as children
      from jobs job
     where job_key = ${key}`,
  )
  return { parentJobId: found?.parent ?? null, childJobIds: found?.children ?? [] }
}
