import { type JobKey, jobKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { briefly } from '../../postgres/briefly.ts'
import { at, type Db, rows } from '../../postgres/sql.ts'
import { closeChunks } from '../close-chunks.ts'

/** Closes running jobs whose window is over: no attempt starts any more, and waiting devices fail. Returns how many it closed. */
export async function expireOverdueJobs(db: Db, { limit }: { readonly limit: number }, now: Date): Promise<number> {
  const overdue = await rows<{ job_key: string }>(
    db,
    sql`
    select job_key::text
      from jobs
     where status = 'running' and deadline_at <= ${at(now)} and ${hasOpenChunk}
     order by deadline_at
     limit ${limit}`,
  )
  let expired = 0
  // A transaction for each, so that nobody waits behind the chunks of other jobs. Few jobs end in the same second.
  for (const { job_key } of overdue) if (await expireJob(db, jobKey(job_key), now)) expired += 1
  return expired
}

/** The job before its chunks, as a cancel does. False: the job has ended, or somebody else ends it now. */
async function expireJob(db: Db, key: JobKey, now: Date): Promise<boolean> {
  return briefly(db, async (tx) => {
    const [job] = await rows<{ week: string }>(
      tx,
      sql`
      select week::text
        from jobs
       where job_key = ${key} and status = 'running' and deadline_at <= ${at(now)}
         for update skip locked`,
    )
    return job !== undefined && (await closeChunks(tx, key, job.week, 'expired', now)) > 0
  })
}

const hasOpenChunk = sql`exists (
  select from chunks c
   where c.week = jobs.week and c.job_key = jobs.job_key
     and c.rest is null and c.is_open)`
