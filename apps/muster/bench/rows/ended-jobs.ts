import { connect, ensurePartitions } from '@muster/store'
import type postgres from 'postgres'

/** A method job over all devices, and how it ended; `failing` is SQL over `n`, the number of the device. */
export interface EndedJob {
  readonly id: string
  readonly name: string
  readonly failing: string
  /** The window left over every device: each has a row that waits. */
  readonly isExpired?: boolean
}

/** Each in a partition of its own, as jobs of different weeks are. */
export const endedJobs: readonly EndedJob[] = [
  {
    id: 'some',
    name: '3 % failed, in 3 groups',
    failing: "n % 50 = 0 or (tags -> 'building')::int < 2 and n % 2 = 0",
  },
  { id: 'all', name: 'all failed, in 3 groups', failing: 'true' },
  { id: 'expired', name: 'all left over by the window', failing: 'true', isExpired: true },
]

/** Over the whole fleet. */
export async function loadEndedJobs(databaseUrl: string, database: postgres.Sql): Promise<void> {
  const { db, close } = connect({ url: databaseUrl, poolSize: 1 })
  for (const [index, job] of endedJobs.entries()) {
    const start = new Date(Date.now() - index * 7 * 24 * 3_600_000)
    await ensurePartitions(db, start)
    await loadJob(database, job, start)
  }
  await close()
  await database`vacuum analyze jobs, chunks, device_jobs`
}

/** In chunks of 500 in the order of the ids, as the dispatcher makes them. */
async function loadJob(
  database: postgres.Sql,
  { id, failing, isExpired = false }: EndedJob,
  start: Date,
): Promise<void> {
  await database.unsafe(`
    insert into jobs (job_id, type, status, query_condition, body, max_execution_seconds, created_at, start_at, deadline_at,
                      week, frozen_at, ended_at)
    select '${id}', 'scheduleDeviceMethod', 'completed', '*', '{"methodName":"reboot","payload":"null"}', 3600, at, at,
           at + interval '1 hour', date_trunc('week', at at time zone 'UTC')::date, at, now()
      from (select '${start.toISOString()}'::timestamptz as at) as start`)
  const target = `(
    select device_id, n - 1 as place, coalesce(${failing}, false) as is_failed,
           (array['GatewayTimeout', 'GenericBadGateway', 'DeviceConnectionClosedRemotely'])[1 + n % 3] as code
      from (select device_id, tags, (row_number() over (order by device_id))::int as n from twins) as twin) as target`
  await database.unsafe(`
    insert into chunks (week, job_key, chunk_no, device_ids, device_count, status, attempted, succeeded, failed, rest, rest_at)
    select week, job_key, place / 500, array_agg(device_id order by place), count(*), 'attempted', count(*),
           count(*) filter (where not is_failed), count(*) filter (where is_failed),
           ${isExpired ? "'expired', now()" : 'null, null'}
      from jobs, ${target} where job_id = '${id}' group by 1, 2, 3`)
  await database.unsafe(`
    insert into device_jobs (week, job_key, chunk_no, device_id, status, attempt, updated_at, due_at, response, error_code, error_text)
    select week, job_key, place / 500, device_id,
           ${isExpired ? "'pending', 1, now(), 'infinity', null, null, null" : outcome}
      from jobs, ${target} where job_id = '${id}'`)
}

const outcome = `case when is_failed then 'failed' else 'completed' end, 1, now(), null,
           case when not is_failed then '{"status":200,"payload":{"uptime":1234,"state":"ready"}}'::json end,
           case when is_failed then code end,
           case when is_failed then 'Timed out waiting for the response from device, kind ' || code end`
