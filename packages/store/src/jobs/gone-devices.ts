import { type JobKey, jobKey } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { at, type Db, rows, texts } from '../postgres/sql.ts'
import { ofOpenWindow } from './chunks.ts'

/**
 * Makes all pending device jobs of deleted devices due. The next attempt does not find the device and ends the device job. Call it after
 * the commit of the deletion: whoever writes a wait later looks for the device again, see `markDueWhereReachable`. Returns the jobs
 * whose workers must be woken.
 */
export async function markGone(db: Db, deviceIds: readonly string[], now: Date): Promise<JobKey[]> {
  const found = await rows<{ job_key: string }>(
    db,
    sql`
    with gone as (
      select r.week, r.job_key, r.device_id
        from device_jobs r
       where r.device_id = any(${texts(deviceIds)})
         and r.status = 'pending' and r.due_at > ${at(now)}
         and ${ofOpenWindow(now)}
       order by r.week, r.job_key, r.device_id
         for update of r),
    due as (
      update device_jobs r
         set due_at = ${at(now)}
        from gone
       where r.week = gone.week and r.job_key = gone.job_key and r.device_id = gone.device_id
         and r.status = 'pending'
      returning r.job_key)
    select distinct job_key::text from due`,
  )
  return found.map((row) => jobKey(row.job_key))
}

/** Whether an attempt on a waiting device would come to something: it is reachable, or not registered any more, or made anew. */
export function isAnswerable(lastGenerationNo: SQL): SQL {
  return sql`(
    t.device_id is null or t.generation_no > ${lastGenerationNo}
    or (s.gateway_id is not null and s.accepts_methods and d.status = 'enabled'))`
}

/** The tables of `isAnswerable`. `device_id`: of the waiting row. */
export function withDevice(deviceId: SQL): SQL {
  return sql`
        left join twins t on t.device_id = ${deviceId}
        left join sessions s on s.device_id = ${deviceId}
        left join devices d on d.device_id = ${deviceId}`
}
