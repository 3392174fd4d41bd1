import { type JobKey, jobKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { at, type Db, rows } from '../../postgres/sql.ts'
import { mayTry } from '../next-try.ts'

/** Running jobs with a ready chunk or a due device job. A wake-up for them may have been lost. */
export async function findForgottenWork(
  db: Db,
  { limit }: { readonly limit: number },
  now: Date,
): Promise<{ key: JobKey; kind: 'chunks' | 'due' }[]> {
  const found = await rows<{ job_key: string; has_chunks: boolean; has_due: boolean }>(
    db,
    sql`
    select job_key::text, has_chunks, has_due
      from (select job_key,
                   exists (select from chunks c
                            where c.week = j.week and c.job_key = j.job_key and c.status = 'ready'
                              and ${mayTry(sql`c.not_before`, now)}) as has_chunks,
                   exists (select from device_jobs r
                            where r.week = j.week and r.job_key = j.job_key
                              and r.status = 'pending' and r.due_at <= ${at(now)}) as has_due
              from jobs j
             where j.status = 'running' and j.deadline_at > ${at(now)}
             order by j.deadline_at, j.job_key) as running
     where has_chunks or has_due
     limit ${limit}`,
  )
  return found.flatMap((row) => {
    const key = jobKey(row.job_key)
    return [
      ...(row.has_chunks ? [{ key, kind: 'chunks' as const }] : []),
      ...(row.has_due ? [{ key, kind: 'due' as const }] : []),
    ]
  })
}
