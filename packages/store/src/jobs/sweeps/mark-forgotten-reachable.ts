import { sql } from 'drizzle-orm'
import { at, type Db, rows } from '../../postgres/sql.ts'
import { nowDue } from '../device-jobs.ts'

/** Makes waiting device jobs with a reachable device due: the message of the gateway was lost. Returns how many there were. */
export async function markForgottenReachable(
  db: Db,
  { limit }: { readonly limit: number },
  now: Date,
): Promise<number> {
  const due = await rows(
    db,
    sql`
    with waiting as (
      select w.week, w.job_key, w.device_id
        from jobs j
        join device_jobs w on w.week = j.week and w.job_key = j.job_key
        join sessions s on s.device_id = w.device_id
        join devices d on d.device_id = w.device_id
       where j.status = 'running' and j.deadline_at > ${at(now)}
         and w.status = 'pending' and w.due_at = 'infinity'
         and s.gateway_id is not null and s.accepts_methods and d.status = 'enabled'
       limit ${limit}
         for update of w skip locked),
    ${nowDue(now)}
    select device_id from reached`,
  )
  return due.length
}
