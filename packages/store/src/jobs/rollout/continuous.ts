import { type Extensions, type JobKey, type JobType, jobKey } from '@muster/contract'
import { parseCondition } from '@muster/query'
import { type SQL, sql } from 'drizzle-orm'
import { briefly } from '../../postgres/briefly.ts'
import { at, type Db, rows, texts } from '../../postgres/sql.ts'
import { matchingDevices } from '../start/target-devices.ts'
import { withZone, type Zoning, zoningOf } from '../start/zones.ts'
import { fittingChunkSize } from './permission.ts'

/** A running job that takes in devices. */
export interface ContinuousJob {
  readonly key: JobKey
  readonly jobId: string
  readonly type: JobType
  readonly priority: number
}

/** Those whose window is open, at most 100 of them: the oldest. */
export async function findContinuousJobs(db: Db, now: Date): Promise<readonly ContinuousJob[]> {
  const found = await rows<ContinuousRow>(
    db,
    sql`select ${continuousColumns} from jobs where ${takesDevices(now)} order by job_key limit 100`,
  )
  return found.map(toContinuousJob)
}

/** How often the condition of a job is evaluated over the whole fleet. */
const everySeconds = 60
/** So soon after the start it is evaluated first: by then every process tells of changes. */
const firstSeconds = 5

const lastCheck = sql`coalesce(joins_checked_at, frozen_at - make_interval(secs => ${everySeconds - firstSeconds}))`

/**
 * The job that has waited longest for a look at the whole fleet; null when none has waited for a minute. Who gets it has to look: the next
 * minute of the job begins now. If that process dies, the next minute repairs it.
 */
export async function takeUncheckedJob(db: Db, now: Date): Promise<ContinuousJob | null> {
  const [found] = await rows<ContinuousRow>(
    db,
    sql`
    update jobs
       set joins_checked_at = ${at(now)}
     where job_key = (
       select job_key from jobs
        where ${takesDevices(now)} and ${isUnchecked(now)}
        order by ${lastCheck}
        limit 1
          for no key update skip locked)
       and ${isUnchecked(now)}
    returning ${continuousColumns}`,
  )
  return found === undefined ? null : toContinuousJob(found)
}

interface JoinOptions {
  /** Only these may join. Null: every device of the hub. */
  readonly among: readonly string[] | null
  readonly chunkSize: (type: JobType) => number
}

/** How long the search for devices may take. */
const searchMs = 60_000
/** How long to wait for another search of the same job. Each look at the whole fleet repairs what this one has missed. */
const lockMs = 10_000
/** A join takes no longer. None is admitted so shortly before the end of the window, because the job may be completed meanwhile. */
const joinMs = searchMs + lockMs

/** The job has ended while its devices were searched. */
class EndedError extends Error {}

/**
 * Adds devices that match the condition of a continuous job, and are no targets of it yet, to its last stage. One at a time for each job, so
 * that no device joins twice. Nothing joins a job that has ended or whose window is over. Returns how many have joined.
 * @throws QueryError, or an error of Postgres, when the condition cannot be evaluated: then nothing joins
 */
export async function joinDevices(
  db: Db,
  { key, type }: ContinuousJob,
  options: JoinOptions,
  now: Date,
): Promise<number> {
  try {
    return await briefly(db, (tx) => join(tx, key, { ...options, chunkSize: options.chunkSize(type) }, now), {
      settings: { statement_timeout: searchMs, lock_timeout: lockMs },
    })
  } catch (error) {
    if (error instanceof EndedError) return 0
    throw error
  }
}

async function join(
  tx: Db,
  key: JobKey,
  { among, chunkSize }: { readonly among: JoinOptions['among']; readonly chunkSize: number },
  now: Date,
): Promise<number> {
  // Whoever waits here may know of a change that the other one does not see. Two numbers, so that the lock differs from those of one.
  await rows(tx, sql`select pg_advisory_xact_lock(7302, (${key}::bigint % 2147483647)::int)`)
  const [job] = await rows<JoinedRow>(
    tx,
    sql`
    select week::text, query_condition, max_devices, rate, max_in_flight, extensions,
           extensions -> 'parameters' is not null as is_by_device
      from jobs
     where job_key = ${key} and ${takesDevices(now)}`,
  )
  if (job === undefined) return 0
  const candidates = matchingDevices(parseCondition(job.query_condition), among)
  const zoning = await zoningOf(tx, job.extensions)
  const [joined] = await rows<Joined>(
    tx,
    insertChunks(key, job, { among, candidates, zoning, chunkSize: fittingChunkSize(chunkSize, job) }),
  )
  if (joined === undefined || joined.count === 0) return 0
  await admit(tx, key, joined, now)
  return joined.count
}

function insertChunks(
  key: JobKey,
  { week, max_devices: most }: JoinedRow,
  {
    among,
    candidates,
    zoning,
    chunkSize,
  }: {
    readonly among: JoinOptions['among']
    readonly candidates: SQL
    readonly zoning: Zoning | null
    readonly chunkSize: number
  },
): SQL {
  return sql`
    with member as materialized (
      select unnest(device_ids) collate "C" as device_id
        from chunks
       where week = ${week} and job_key = ${key} and ${among === null ? sql`true` : sql`device_ids && ${texts(among)}`}),
    place as (
      select coalesce(max(chunk_no), -1) + 1 as chunk_no, coalesce(sum(device_count), 0) as taken,
             coalesce((select max(stage_no) from stages where job_key = ${key}), 0) as stage_no
        from chunks
       where week = ${week} and job_key = ${key}),
    newcomer as materialized (
      select device_id
        from (${candidates}) as candidate
       where not exists (select from member where member.device_id = candidate.device_id)
       order by device_id
       limit (select case when ${most}::int is not null then greatest(0, ${most}::int - taken) end from place)),
    located as (${zoning === null ? sql`select *, null::text as zone from newcomer` : withZone(sql`newcomer`, zoning)}),
    slices as materialized (
      select (row_number() over (order by slice, zone) - 1)::int as slice, zone,
             array_agg(device_id order by device_id) as device_ids, count(*)::int as device_count
        from (select device_id, zone, (row_number() over (order by zone, device_id) - 1) / ${chunkSize}::int as slice
                from located) as numbered
       group by slice, zone),
    added as (
      insert into chunks (week, job_key, chunk_no, stage_no, device_ids, device_count, zone)
      select ${week}::date, ${key}::bigint, place.chunk_no + slice, place.stage_no, device_ids, device_count, zone
        from slices, place)
    select count(*)::int as count,
           (select array_agg(distinct zone) filter (where zone is not null) from slices) as zones
      from newcomer`
}

/**
 * The row of the job comes last, because the search may take seconds: until here a cancel waits for nothing. It has ended the job, and
 * nothing joins; or it waits for this transaction, and finds the new chunks. The row of the stage comes after it, as when a stage opens, so that neither can wait for the other.
 */
async function admit(tx: Db, key: JobKey, joined: Joined, now: Date): Promise<void> {
  const admitted = await rows(
    tx,
    sql`
    update jobs
       set zones = ${joined.zones === null ? sql`zones` : allZones(joined.zones)}
     where job_key = ${key} and ${takesDevices(new Date(now.getTime() + joinMs))}
    returning job_key`,
  )
  if (admitted.length === 0) throw new EndedError()
  await rows(
    tx,
    sql`
    update stages set device_count = device_count + ${joined.count}
     where job_key = ${key} and stage_no = (select max(stage_no) from stages where job_key = ${key})
    returning stage_no`,
  )
}

interface Joined extends Record<string, unknown> {
  readonly count: number
  /** Of their chunks. Null: the job has no windows. */
  readonly zones: readonly string[] | null
}

function allZones(zones: readonly string[]): SQL {
  return sql`(select array_agg(distinct zone) from unnest(coalesce(zones, '{UTC}') || ${texts(zones)}) as zone)`
}

/** Whether nothing more can come to a row of `jobs`: it is not continuous, its window is over, or it has as many devices as it may. */
export function isFinal(now: Date): SQL {
  return sql`(
    not jobs.is_continuous
    or jobs.deadline_at <= ${at(now)}
    or (select sum(device_count) from chunks c where c.week = jobs.week and c.job_key = jobs.job_key) >= jobs.max_devices)`
}

function takesDevices(now: Date): SQL {
  return sql`(status = 'running' and is_continuous and deadline_at > ${at(now)})`
}

function isUnchecked(now: Date): SQL {
  return sql`(${lastCheck} <= ${at(now)} - make_interval(secs => ${everySeconds}))`
}

interface JoinedRow extends Record<string, unknown> {
  readonly week: string
  readonly query_condition: string
  readonly max_devices: number | null
  readonly rate: number | null
  readonly max_in_flight: number | null
  readonly extensions: Extensions
  readonly is_by_device: boolean
}

const continuousColumns = sql.raw('job_key::text, job_id, type, priority')

interface ContinuousRow extends Record<string, unknown> {
  readonly job_key: string
  readonly job_id: string
  readonly type: JobType
  readonly priority: number
}

function toContinuousJob({ job_key, job_id, type, priority }: ContinuousRow): ContinuousJob {
  return { key: jobKey(job_key), jobId: job_id, type, priority }
}
