import { sql } from 'drizzle-orm'
import { at, type Db, rows } from '../../postgres/sql.ts'
import { goneHolders } from '../workers.ts'

/** Makes device jobs whose worker is gone due again. */
export async function releaseExpiredDeviceJobs(
  db: Db,
  { limit }: { readonly limit: number },
  now: Date,
): Promise<number> {
  const [released] = await rows<{ count: number }>(
    db,
    sql`
    with recursive ${goneHolders('device_jobs', now)},
    expired as (
      select week, job_key, device_id
        from device_jobs
       where status = 'running' and leased_by = any(array(select worker_id from gone))
       limit ${limit}
         for update skip locked),
    released as (
      update device_jobs r
         set status = 'pending', due_at = ${at(now)}, leased_by = null, updated_at = ${at(now)}
        from expired
       where r.week = expired.week and r.job_key = expired.job_key and r.device_id = expired.device_id
      returning r.week, r.job_key, r.chunk_no),
    counted as (select week, job_key, chunk_no, count(*)::int as n from released group by week, job_key, chunk_no),
    locked as (
      select c.week, c.job_key, c.chunk_no, n
        from chunks c
        join counted using (week, job_key, chunk_no)
       order by c.job_key, c.chunk_no
         for update of c),
    moved as (
      update chunks c
         set running = running - n,
             failed = failed + case rest when 'expired' then n else 0 end,
             canceled = canceled + case rest when 'canceled' then n else 0 end
        from locked
       where c.week = locked.week and c.job_key = locked.job_key and c.chunk_no = locked.chunk_no)
    select count(*)::int as count from released`,
  )
  return released?.count ?? 0
}
