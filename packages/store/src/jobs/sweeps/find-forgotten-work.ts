import { type JobKey, type JobType, jobKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { prepared } from '../../postgres/prepared.ts'
import { at, type Db } from '../../postgres/sql.ts'
import { readyWork } from './work.ts'

/**
 * Running jobs with a ready chunk or a due device job in an open stage. A wake-up for them may have been lost. In no order, so that each has
 * its turn if there are more than `limit`.
 */
export async function findForgottenWork(
  db: Db,
  { limit }: { readonly limit: number },
  now: Date,
): Promise<{ key: JobKey; type: JobType; priority: number; kind: 'chunks' | 'due' }[]> {
  const found = await prepared<{ job_key: string; type: JobType; priority: number; kind: 'chunks' | 'due' }>(
    db,
    'findForgottenWork',
    sql`
    with recursive ${readyWork(now)},
    work as (
      select job_key, deadline_at, 'chunks' as kind from chunk_work
       union all
      select job_key, deadline_at, 'due' from due_work)
    select job_key::text, type, priority, kind
      from work,
           lateral (select type, priority from jobs where jobs.job_key = work.job_key offset 0) as job
     where work.job_key is not null and deadline_at > ${at(now)}
     order by random()
     limit ${limit}`,
  )
  return found.map(({ job_key, ...work }) => ({ key: jobKey(job_key), ...work }))
}
