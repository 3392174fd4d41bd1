import { type Job, type JobKey, jobKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { briefly } from '../../postgres/briefly.ts'
import { at, type Db, rows } from '../../postgres/sql.ts'
import { cancelJobBecause, readJob } from '../jobs.ts'

/** Cancels jobs whose pause has lasted for as long as it may. Returns those that it cancelled. */
export async function cancelLongPaused(db: Db, { limit }: { readonly limit: number }, now: Date): Promise<Job[]> {
  const found = await rows<{ job_key: string }>(
    db,
    sql`
    select job_key::text
      from jobs
     where pause_ends_at <= ${at(now)} and pause_ends_at is not null and ended_at is null
     order by pause_ends_at
     limit ${limit}`,
  )
  const cancelled: Job[] = []
  // A transaction for each, so that nobody waits behind the chunks of other jobs.
  for (const { job_key } of found) {
    const job = await cancelPaused(db, jobKey(job_key), now)
    if (job !== null) cancelled.push(job)
  }
  return cancelled
}

/** The job before its chunks, as a cancel does. Null: it was resumed, or has ended, or somebody else changes it now. */
async function cancelPaused(db: Db, key: JobKey, now: Date): Promise<Job | null> {
  return briefly(db, async (tx) => {
    const [paused] = await rows<{ job_id: string; seconds: number }>(
      tx,
      sql`
      select job_id, extract(epoch from pause_ends_at - paused_at)::int as seconds
        from jobs
       where job_key = ${key} and pause_ends_at <= ${at(now)} and ended_at is null
         for update skip locked`,
    )
    if (paused === undefined) return null
    const reason = `the job was paused for ${paused.seconds} s, and nobody resumed it`
    return (await cancelJobBecause(tx, key, reason, now)) ? readJob(tx, paused.job_id) : null
  })
}
