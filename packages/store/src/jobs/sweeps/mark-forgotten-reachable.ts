import { sql } from 'drizzle-orm'
import { at, type Db, rows } from '../../postgres/sql.ts'
import { nowDue } from '../device-jobs.ts'
import { isAnswerable, withDevice } from '../gone-devices.ts'

/**
 * Makes waiting device jobs due whose device is reachable: the message of the gateway was lost; or deleted: the process that deleted it
 * died. Returns how many there were.
 */
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
        ${withDevice(sql`w.device_id`)}
       where j.status = 'running' and j.deadline_at > ${at(now)}
         and w.status = 'pending' and w.due_at = 'infinity'
         and ${isAnswerable(sql`j.last_generation_no`)}
       limit ${limit}
         for update of w skip locked),
    ${nowDue(now)}
    select device_id from reached`,
  )
  return due.length
}
