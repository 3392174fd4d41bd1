import type { JobKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { at, type Db, rows } from '../../postgres/sql.ts'
import { type Asker, jobEvent } from '../job-events.ts'

/** Pauses a job that has not ended. False: it has, or is paused already. */
export async function pauseJob(
  tx: Db,
  key: JobKey,
  { asker, reason }: { readonly asker: Asker; readonly reason: string },
  now: Date,
): Promise<boolean> {
  const paused = await rows(
    tx,
    sql`
    with paused as (
      update jobs set paused_at = ${at(now)}, paused_by = ${asker.actor}
       where job_key = ${key}
         and status in ('queued', 'scheduled', 'running')
         and paused_at is null
      returning job_key),
    ${jobEvent({ kind: 'paused', now, asker, fields: sql`jsonb_build_object('reason', ${reason}::text)` }, sql`paused`)}
    select job_key from paused`,
  )
  return paused.length > 0
}

/** Ends the pause of a job that has not ended. The soak of its gate goes on where it stopped. False: it has ended, or is not paused. */
export async function resumeJob(
  tx: Db,
  key: JobKey,
  { asker }: { readonly asker: Asker },
  now: Date,
): Promise<boolean> {
  const resumed = await rows(
    tx,
    sql`
    with paused as (
      select job_key, paused_at
        from jobs
       where job_key = ${key} and status in ('queued', 'scheduled', 'running') and paused_at is not null
         for no key update),
    resumed as (
      update jobs set paused_at = null, paused_by = null
        from paused
       where jobs.job_key = paused.job_key and jobs.paused_at is not null
      returning jobs.job_key),
    soaking as (
      update stages
         set met_at = met_at + (${at(now)} - paused.paused_at)
        from paused
       where stages.job_key = paused.job_key and met_at is not null and closed_at is null),
    ${jobEvent({ kind: 'resumed', now, asker }, sql`resumed`)}
    select job_key from resumed`,
  )
  return resumed.length > 0
}
