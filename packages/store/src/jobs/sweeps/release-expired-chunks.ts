import { sql } from 'drizzle-orm'
import { type Db, rows } from '../../postgres/sql.ts'
import { goneHolders, removedWorkers } from '../workers.ts'

/**
 * Releases chunks whose worker is gone: its lease has ended. Devices that were in flight are attempted again, or end with the rest of
 * the chunk. A later pass removes the row of the worker, when nothing belongs to it any more.
 */
export async function releaseExpiredChunks(db: Db, { limit }: { readonly limit: number }, now: Date): Promise<number> {
  const released = await rows(
    db,
    sql`
    with recursive ${goneHolders('chunks', now)},
    expired as (
      select week, job_key, chunk_no
        from chunks
       where status = 'leased' and leased_by = any(array(select worker_id from gone))
       limit ${limit}
         for update skip locked),
    ${removedWorkers(now)}
    update chunks c
       set status = case when rest is null then 'ready' else 'attempted' end,
           leased_by = null,
           running = running - (device_count - attempted),
           failed = failed + case rest when 'expired' then device_count - attempted else 0 end,
           canceled = canceled + case rest when 'canceled' then device_count - attempted else 0 end
      from expired
     where c.week = expired.week and c.job_key = expired.job_key and c.chunk_no = expired.chunk_no
    returning c.chunk_no`,
  )
  return released.length
}
