import { connect, ensurePartitions } from '@muster/store'
import type postgres from 'postgres'

/** A hub has so many partitions when it keeps 30 days of history, and a device job has waited for 30 days before. */
const weeks = 9
const weekMs = 7 * 24 * 3_600_000

/** The partitions of the weeks over which `loadHistory` and `loadWaiting` spread their jobs. */
export async function makeWeeks(databaseUrl: string): Promise<void> {
  const { db, close } = connect({ url: databaseUrl, poolSize: 1 })
  for (let week = 0; week < weeks; week++) await ensurePartitions(db, new Date(Date.now() - week * weekMs))
  await close()
}

/** Ten ended jobs with an answer of each device. */
export async function loadHistory(database: postgres.Sql, deviceCount: number): Promise<void> {
  await insertJobs(database, 10, { status: 'completed', prefix: 'ended' })
  await database`
    insert into chunks (week, job_key, chunk_no, device_ids, device_count, status, attempted, succeeded)
    select week, job_key, n / 500, array_agg('device-' || n), count(*), 'attempted', count(*), count(*)
      from jobs, generate_series(1, ${deviceCount}) as n
     where status = 'completed'
     group by week, job_key, n / 500`
  await database`
    insert into device_jobs (week, job_key, chunk_no, device_id, status, attempt, deliveries, delivered_at, updated_at, response)
    select week, job_key, n / 500, 'device-' || n, 'completed', 1, 1, now(), now(), '{"status":200,"payload":null}'
      from jobs, generate_series(1, ${deviceCount}) as n
     where status = 'completed'`
}

/** So many more running jobs, each of which has tried 50 devices once and waits for them. */
export async function loadWaiting(database: postgres.Sql, deviceCount: number, count: number): Promise<void> {
  const keys = await insertJobs(database, count, { status: 'running', prefix: 'waiting' })
  await database`
    insert into chunks (week, job_key, chunk_no, device_ids, device_count, status, attempted)
    select week, job_key, n / 5, array_agg('device-' || 1 + (job_key * 977 + n) % ${deviceCount}), count(*), 'attempted', count(*)
      from jobs, generate_series(0, 49) as n
     where job_key = any(${keys})
     group by week, job_key, n / 5`
  await database`
    insert into device_jobs (week, job_key, chunk_no, device_id, status, attempt, due_at, updated_at)
    select week, job_key, chunk_no, unnest(device_ids), 'pending', 1, 'infinity', now() from chunks where job_key = any(${keys})`
  await database`vacuum analyze jobs, chunks, device_jobs`
}

async function insertJobs(
  database: postgres.Sql,
  count: number,
  { status, prefix }: { readonly status: string; readonly prefix: string },
): Promise<readonly string[]> {
  const inserted = await database<{ job_key: string }[]>`
    insert into jobs (job_id, type, status, query_condition, body, max_execution_seconds, created_at, start_at, deadline_at,
                      week, frozen_at, ended_at, last_generation_no)
    select ${prefix} || '-' || ${count}::int || '-' || n, 'scheduleDeviceMethod', ${status}, '*', '{}', 86400, now(), now(),
           now() + interval '1 day', date_trunc('week', now() at time zone 'UTC')::date - 7 * (n % ${weeks}), now(),
           case ${status} when 'completed' then now() end, 1000000000
      from generate_series(1, ${count}) as n
    returning job_key`
  return inserted.map(({ job_key }) => job_key)
}
