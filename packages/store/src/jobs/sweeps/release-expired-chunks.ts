import { sql } from 'drizzle-orm'
import { at, type Db, rows } from '../../postgres/sql.ts'

/** Releases chunks whose worker is gone. Devices that were in flight are attempted again, or end with the rest of the chunk. */
export async function releaseExpiredChunks(db: Db, { limit }: { readonly limit: number }, now: Date): Promise<number> {
  const released = await rows(
    db,
    sql`
    with expired as (
      select week, job_key, chunk_no
        from chunks
       where status = 'leased' and lease_until <= ${at(now)}
       order by lease_until
       limit ${limit}
         for update skip locked)
    update chunks c
       set status = case when rest is null then 'ready' else 'attempted' end,
           leased_by = null,
           lease_until = null,
           running = running - (device_count - attempted),
           failed = failed + case rest when 'expired' then device_count - attempted else 0 end,
           canceled = canceled + case rest when 'canceled' then device_count - attempted else 0 end
      from expired
     where c.week = expired.week and c.job_key = expired.job_key and c.chunk_no = expired.chunk_no
    returning c.chunk_no`,
  )
  return released.length
}
