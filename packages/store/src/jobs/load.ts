import type { JobType } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { type Settings, setLocally } from '../postgres/briefly.ts'
import { at, type Db, rows } from '../postgres/sql.ts'
import { countedConnections } from '../sessions/gateways.ts'
import { mayTry } from './next-try.ts'
import { dueDeviceJobsOf, readyWork } from './sweeps/work.ts'

/** What the hub has to do, in devices. */
export interface HubLoad {
  /** Work that may start within `loadHorizonMs`, by the type of its job. A type without any is absent. */
  readonly ready: Readonly<Partial<Record<JobType, number>>>
  /** Device calls that workers hold. */
  readonly leased: number
  /** Connections of all live gateways. */
  readonly connections: number
}

/** Work that is due so soon counts as ready: a new process takes about as long to start. */
export const loadHorizonMs = 10_000

/**
 * How much is counted at most. Two thousand chunks of calls are the work of 40 workers, ten thousand due devices that of two. What is
 * not counted now is counted after others have been leased, so that it cannot be overlooked.
 */
const most = { chunksOfJob: 2_000, chunks: 10_000, dueDevices: 10_000 } as const

const readMs = 2_000

/**
 * Counts the work that could be done now or soon, if there were workers. What waits for its device, is held or paused, or is not
 * permitted by the rate of its job or by the limit of its devices in flight is none. One statement in bounded time; Postgres ends it
 * after 2 s.
 */
export async function readLoad(db: Db, now: Date): Promise<HubLoad> {
  return db.transaction(
    async (tx) => {
      await setLocally(tx, { statement_timeout: readMs, ...countingSettings })
      return countLoad(tx, now)
    },
    { accessMode: 'read only' },
  )
}

/**
 * Loops over plain scans of indexes end when enough has been counted. A bitmap or a hash table would first be made of all rows that match,
 * and there may be a million of them. Each `order by` is that of such an index. The just-in-time compiler would take longer than the statement.
 */
export const countingSettings: Settings = {
  jit: 'off',
  enable_bitmapscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
}

export async function countLoad(tx: Db, now: Date): Promise<HubLoad> {
  const [load] = await rows<{ ready: HubLoad['ready'] | null; leased: number; connections: number }>(
    tx,
    selectLoad(now),
  )
  return { ready: load?.ready ?? {}, leased: load?.leased ?? 0, connections: load?.connections ?? 0 }
}

export function selectLoad(now: Date): SQL {
  const soon = new Date(now.getTime() + loadHorizonMs)
  return sql`
    with recursive ${readyWork(soon)},
    leased as materialized (
      select job_key, sum(devices) as devices
        from (select job_key, device_count - attempted as devices from chunks where status = 'leased'
               union all
              select job_key, 1 from device_jobs where status = 'running') as held
       group by job_key),
    job as materialized (
      select j.job_key, j.week, j.type, j.open_stage, ${permittedDevices(now)} as permitted
        from jobs j
        left join leased using (job_key)
       where j.job_key in (select job_key from chunk_work union select job_key from due_work)
         and j.status = 'running' and j.paused_at is null and j.deadline_at > ${at(now)}),
    first_attempts as (
      select job.job_key, job.type, job.permitted, c.devices
        from job, lateral (
             select device_count - attempted as devices
               from chunks c
              where c.week = job.week and c.job_key = job.job_key and c.status = 'ready'
                and c.attempted < c.device_count and c.stage_no <= job.open_stage
                and ${mayTry(sql`c.not_before`, soon)}
              order by c.stage_no, c.chunk_no
              limit least(${most.chunksOfJob}::int, ceil(job.permitted))) as c
       limit ${most.chunks}),
    later_attempts as (
      select job.job_key, job.type, job.permitted, 1
        from job, lateral (
             select true ${dueDeviceJobsOf(sql`job`, soon)}
              order by r.due_at
              limit least(${most.dueDevices}::int, ceil(job.permitted))) as r
       limit ${most.dueDevices}),
    ready as (
      select type, least(permitted, sum(devices)) as devices
        from (select * from first_attempts union all select * from later_attempts) as found
       group by job_key, type, permitted)
    select (select json_object_agg(type, devices)
              from (select type, sum(devices)::float8 as devices from ready group by type) as by_type) as ready,
           (select coalesce(sum(devices), 0)::int from leased) as leased,
           ${countedConnections(now)} as connections`
}

/** How many devices of a job `j` its limits permit until the horizon, beside those that are `leased`. Null: any number. */
function permittedDevices(now: Date): SQL {
  const freeMs = sql`least(${loadHorizonMs}::int, ${loadHorizonMs}::int - extract(epoch from j.rate_free_at - ${at(now)}) * 1000)`
  return sql`
    case when j.rate is not null or j.max_in_flight is not null
         then greatest(0, least(j.rate * ${freeMs} / 60000, j.max_in_flight - coalesce(leased.devices, 0))) end`
}
