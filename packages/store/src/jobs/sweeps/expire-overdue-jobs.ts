import { jobKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { at, type Db, rows } from '../../postgres/sql.ts'
import { closeChunks } from '../close-chunks.ts'

/** Closes running jobs whose window is over: no attempt starts any more, and waiting devices fail. Returns how many it closed. */
export async function expireOverdueJobs(db: Db, { limit }: { readonly limit: number }, now: Date): Promise<number> {
  return db.transaction(async (tx) => {
    const overdue = await rows<{ job_key: string; week: string }>(
      tx,
      sql`
      select job_key::text, week::text
        from jobs
       where status = 'running' and deadline_at <= ${at(now)}
         and exists (select from chunks c
                      where c.week = jobs.week and c.job_key = jobs.job_key
                        and c.rest is null and c.succeeded + c.failed + c.canceled < c.device_count)
       order by deadline_at
       limit ${limit}
         for update skip locked`,
    )
    // One job at a time: its chunks are one statement, and few jobs end in the same second.
    for (const { job_key, week } of overdue) await closeChunks(tx, jobKey(job_key), week, 'expired', now)
    return overdue.length
  })
}
