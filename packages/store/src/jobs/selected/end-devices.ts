import { sql } from 'drizzle-orm'
import { at, type Db, rows } from '../../postgres/sql.ts'
import { isListed, mayHold, type StartedJob } from './device-selection.ts'

/** Devices by their ids. Null: all. */
type DeviceIds = readonly string[] | null

/**
 * Locks what `endDevices` is to change. The rows before the chunks, as who records later attempts does; who locks chunks first waits for no
 * row. The job has to be locked already, because an event is to be written for it.
 */
export async function lockDevices(tx: Db, { key, week }: StartedJob, deviceIds: DeviceIds): Promise<void> {
  await rows(
    tx,
    sql`
    with locked as (
      select device_id
        from device_jobs
       where week = ${week} and job_key = ${key} and status = 'pending' and ${isListed(sql`device_id`, deviceIds)}
       order by device_id
         for update)
    select count(*) as count from locked`,
  )
  await rows(
    tx,
    sql`
    with locked as (
      select chunk_no
        from chunks c
       where week = ${week} and job_key = ${key} and rest is null and is_open and ${mayHold(deviceIds)}
       order by chunk_no
         for update)
    select count(*) as count from locked`,
  )
}

/**
 * Ends device jobs that are pending: they wait, or have not started. Each has a row that says so, also if it had none, so that no claim
 * takes it. A held chunk stays held, for those that wait. Call it after `lockDevices`: its snapshot has then seen whatever was done to these chunks. Returns how many it has ended.
 */
export async function endDevices(
  tx: Db,
  { key, week }: StartedJob,
  { deviceIds, status }: { readonly deviceIds: DeviceIds; readonly status: 'canceled' | 'skipped' },
  now: Date,
): Promise<number> {
  const [ended] = await rows<{ count: number }>(
    tx,
    sql`
    with chosen as materialized (
      select c.chunk_no, target.device_id, c.asked_since, r.status
        from chunks c
       cross join lateral (select id collate "C" as device_id from unnest(c.device_ids) as id) as target
        left join device_jobs r on r.week = ${week} and r.job_key = ${key} and r.device_id = target.device_id
       where c.week = ${week} and c.job_key = ${key} and c.rest is null and c.is_open and ${mayHold(deviceIds)}
         and (r.status = 'pending' or (r.status is null and c.status in ('held', 'ready')))
         and ${isListed(sql`target.device_id`, deviceIds)}),
    waited as (
      update device_jobs r
         set status = ${status}, due_at = null, updated_at = ${at(now)}
        from chosen
       where r.week = ${week} and r.job_key = ${key} and r.device_id = chosen.device_id
         and r.status = 'pending'
      returning r.chunk_no),
    untried as (
      insert into device_jobs (week, job_key, chunk_no, device_id, status, attempt, asked_since, updated_at)
      select ${week}::date, ${key}::bigint, chunk_no, device_id, ${status}, 0, asked_since, ${at(now)}
        from chosen
       where status is null
          on conflict do nothing
      returning chunk_no),
    counted as (
      select chunk_no, count(*)::int as n, (count(*) filter (where is_first))::int as n_first
        from (select chunk_no, false as is_first from waited union all select chunk_no, true from untried) as ended
       group by chunk_no),
    moved as (
      update chunks c
         set canceled = canceled + n,
             skipped = skipped + ${status === 'skipped' ? sql`n` : sql`0`},
             attempted = attempted + n_first,
             status = case when c.status = 'ready' and attempted + n_first = device_count then 'attempted' else c.status end
        from counted
       where c.week = ${week} and c.job_key = ${key} and c.chunk_no = counted.chunk_no and rest is null)
    select coalesce(sum(n), 0)::int as count from counted`,
  )
  return ended?.count ?? 0
}
