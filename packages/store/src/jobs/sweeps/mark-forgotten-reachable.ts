import { sql } from 'drizzle-orm'
import { at, type Db, rows } from '../../postgres/sql.ts'
import { ofOpenWindow } from '../chunks.ts'
import { nowDue } from '../device-jobs.ts'
import { isAnswerable, withDevice } from '../gone-devices.ts'

/** A device job that waits, in the order in which they are looked at. */
export interface WaitingPlace {
  readonly deviceId: string
  readonly jobKey: string
}

/**
 * Makes waiting device jobs due whose device is reachable: the message of the gateway was lost; or deleted: the process that deleted it
 * died. Looks at the next `limit` after a place. `last`: the last of these; null at the end of the list. `areOver`: the jobs of all of
 * these have ended; their rows stay until their week is dropped.
 *
 * Rows are read again, to be locked, only after the others are left out: Postgres expects too few of them in many partitions, and would
 * read all jobs for each.
 */
export async function markForgottenReachable(
  db: Db,
  { limit, after }: { readonly limit: number; readonly after: WaitingPlace | null },
  now: Date,
): Promise<{ readonly count: number; readonly last: WaitingPlace | null; readonly areOver: boolean }> {
  const { deviceId, jobKey } = after ?? { deviceId: '', jobKey: '0' }
  const [passed] = await rows<{ count: number; are_over: boolean; device_id: string | null; job_key: string }>(
    db,
    sql`
    with looked as materialized (
      select week, job_key, device_id
        from device_jobs
       where status = 'pending' and due_at = 'infinity'
         and (device_id, job_key) > (${deviceId}, ${jobKey}::bigint)
       order by device_id, job_key
       limit ${limit}),
    answerable as materialized (
      select looked.week, looked.job_key, looked.device_id
        from looked
        join jobs j using (job_key)
        ${withDevice(sql`looked.device_id`)}
       where j.status = 'running' and j.deadline_at > ${at(now)}
         and ${isAnswerable(sql`j.last_generation_no`)}),
    waiting as (
      select w.week, w.job_key, w.device_id
        from answerable
        join device_jobs w using (week, job_key, device_id)
       where w.status = 'pending' and w.due_at = 'infinity'
         for update of w skip locked),
    ${nowDue(now)}
    select (select count(*) from reached)::int as count,
           not exists (select from looked as r where ${ofOpenWindow(now)}) as are_over,
           place.device_id, place.job_key::text
      from (select) as one
      left join (select device_id, job_key from looked order by device_id, job_key offset ${limit - 1}::int limit 1) as place on true`,
  )
  if (passed === undefined) throw new Error('a select without a table has a row')
  const { count, are_over: areOver, device_id, job_key } = passed
  return { count, areOver, last: device_id === null ? null : { deviceId: device_id, jobKey: job_key } }
}
