import type { JobKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { at, type Db, rows } from '../postgres/sql.ts'
import { addJobEvent } from './job-events.ts'

/**
 * Ends the devices that have not started in every chunk of a job. It changes no row of a device: `rest` says it for all of them.
 * Returns how many chunks it changed. A device in flight stays `running` and is counted when it ends. In the transaction that ends the job
 * or sees its window end.
 */
export async function closeChunks(
  tx: Db,
  key: JobKey,
  week: string,
  rest: 'canceled' | 'expired',
  now: Date,
): Promise<number> {
  const pending = sql`device_count - succeeded - failed - canceled - running`
  const counter = rest === 'canceled' ? sql`canceled = canceled + ${pending}` : sql`failed = failed + ${pending}`
  // Locked in chunk order, like the statements that record outcomes, so that neither can wait for the other.
  const changed = await rows(
    tx,
    sql`
    with open as (
      select chunk_no
        from chunks
       where week = ${week}
         and job_key = ${key}
         and rest is null
         and is_open
       order by chunk_no
         for update)
    update chunks c
       set ${counter},
           rest = ${rest},
           rest_at = ${at(now)},
           status = case when status in ('held', 'ready') then 'attempted' else status end
      from open
     where c.week = ${week} and c.job_key = ${key} and c.chunk_no = open.chunk_no
       and rest is null
    returning c.chunk_no`,
  )
  if (rest === 'expired' && changed.length > 0) {
    await addJobEvent(tx, { kind: 'expired', now }, sql`(select ${key}::bigint as job_key) as changed`)
  }
  return changed.length
}
