import { type DeviceId, type Extensions, type JobKey, type JobType, storedDeviceId } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { prepared } from '../postgres/prepared.ts'
import { at, type Db, instant, instantOrNull, rows } from '../postgres/sql.ts'
import { mayTry } from './next-try.ts'
import {
  claimPermitted,
  full,
  hasRoomFor,
  type LimitedJob,
  type NotNow,
  type Permission,
  spend,
} from './rollout/permission.ts'
import { inOpenZone, putOffClosed, type WindowedJob } from './rollout/windows.ts'
import { isAlive } from './workers.ts'

/**
 * A running job as its workers need it. Nothing of it changes but its limits. It may end or be paused at any moment: each claim looks
 * whether it may still go.
 */
export interface RunningJob extends LimitedJob, WindowedJob {
  readonly jobId: string
  readonly type: JobType
  /** When it was to start: not before it was made. */
  readonly startAt: Date
  /** A device with a higher one was registered after the start: it is no target, whatever its name. */
  readonly lastGenerationNo: number
  readonly priority: number
  /** What devices have to match until they are attempted. Null: the job is not continuous. */
  readonly continuousCondition: string | null
  /** The span that asked for the job. Null: nothing was traced. */
  readonly traceparent: string | null
}

/** A chunk whose devices a worker may attempt until its lease ends. A write with an old `fence` changes nothing. */
export interface ClaimedChunk {
  readonly job: RunningJob
  readonly chunkNo: number
  readonly fence: number
  /** Devices whose first attempt has not been recorded. */
  readonly deviceIds: readonly DeviceId[]
  /** The first claim of the chunk. If it is not this one, an earlier worker may have called these devices. */
  readonly askedSince: Date
}

/** Null when the job does not run, or is paused. */
export async function readRunningJob(db: Db, key: JobKey): Promise<RunningJob | null> {
  const [job] = await prepared<{
    job_id: string
    type: JobType
    week: string
    body: string
    extensions: Extensions
    start_at: string
    deadline_at: string
    last_generation_no: string
    priority: number
    continuous_condition: string | null
    is_limited: boolean
    rate_free_at: string | null
    zones: readonly string[] | null
    traceparent: string | null
  }>(
    db,
    'readRunningJob',
    sql`
    select job_id, type, week::text, body::text, extensions,
           greatest(start_at, created_at)::text as start_at, deadline_at::text, last_generation_no, priority,
           case when is_continuous then query_condition end as continuous_condition,
           rate is not null or max_in_flight is not null as is_limited,
           case when rate is not null then rate_free_at::text end as rate_free_at, zones, traceparent
      from jobs
     where job_key = ${key} and status = 'running' and paused_at is null`,
  )
  if (job === undefined) return null
  return {
    key,
    jobId: job.job_id,
    type: job.type,
    week: job.week,
    body: JSON.parse(job.body),
    extensions: job.extensions,
    startAt: instant(job.start_at),
    deadlineAt: instant(job.deadline_at),
    lastGenerationNo: Number(job.last_generation_no),
    priority: job.priority,
    continuousCondition: job.continuous_condition,
    isLimited: job.is_limited,
    rateFreeAt: instantOrNull(job.rate_free_at),
    zones: job.zones,
    traceparent: job.traceparent,
  }
}

/** The last stage in which a job may start attempts; null when it may start none: it does not run, is paused, or its window is over. */
export function openStage(key: JobKey, now: Date): SQL {
  return sql`(
    select open_stage from jobs
     where job_key = ${key} and status = 'running' and deadline_at > ${at(now)} and paused_at is null)`
}

/** Whether the job of a row `r` may start attempts. Looked up for each row: a join might read all jobs. */
export function ofOpenWindow(now: Date): SQL {
  return sql`(select j.status = 'running' and j.deadline_at > ${at(now)} from jobs j where j.job_key = r.job_key)`
}

/**
 * Claims the next ready chunk of a job. Null when none is ready, the job may not start attempts, or the lease of the worker has
 * ended; not now when its limits forbid it.
 */
export async function claimChunk(
  db: Db,
  job: RunningJob,
  workerId: string,
  now: Date,
): Promise<ClaimedChunk | NotNow | null> {
  const claimed = await (job.isLimited ? takePermitted(db, job, workerId, now) : takeChunk(db, job, workerId, now))
  if (claimed === null) await putOffClosed(db, job, now)
  return claimed
}

function takePermitted(db: Db, job: RunningJob, workerId: string, now: Date): Promise<ClaimedChunk | NotNow | null> {
  const claim = async (tx: Db, permission: Permission) => {
    const deviceCount = await lockNextReady(tx, job, now)
    if (deviceCount === null) return null
    if (!hasRoomFor(permission, deviceCount)) return full
    const claimed = await takeChunk(tx, job, workerId, now)
    if (claimed !== null) await spend(tx, job, claimed.deviceIds.length, now)
    return claimed
  }
  return claimPermitted(db, job, claim, now)
}

/** The number of devices that a claim of the next ready chunk would have. Locks the chunk, so that the claim gets the same one. */
async function lockNextReady(tx: Db, job: RunningJob, now: Date): Promise<number | null> {
  const [next] = await prepared<{ count: number }>(
    tx,
    'lockNextReady',
    nextReady(job, sql`device_count - attempted as count`, now),
  )
  return next?.count ?? null
}

/**
 * Claims in one statement. The row of the chunk is the lock against a cancel and the end of the window: they end the job first, and then
 * every chunk. A claim that has read the job before has locked its chunk before them, and is in flight when they have ended; or it finds
 * the chunk ended.
 */
async function takeChunk(db: Db, job: RunningJob, workerId: string, now: Date): Promise<ClaimedChunk | null> {
  const [chunk] = await prepared<{
    chunk_no: number
    fence: number
    untried_ids: string[]
    untried: number
    asked_since: string
  }>(
    db,
    'claimChunk',
    sql`
      update chunks c
         set status = 'leased',
             fence = fence + 1,
             leased_by = ${workerId},
             asked_since = coalesce(asked_since, ${at(now)}),
             running = running + device_count - attempted
       where week = ${job.week}
         and job_key = ${job.key}
         and chunk_no = (${nextReady(job, sql`chunk_no`, now)})
         and ${isAlive(workerId, now)}
      returning chunk_no, fence, asked_since::text, ${untriedIds} as untried_ids, device_count - attempted as untried`,
  )
  if (chunk === undefined) return null
  const deviceIds = chunk.untried_ids.map(storedDeviceId)
  return {
    job,
    chunkNo: chunk.chunk_no,
    fence: chunk.fence,
    deviceIds: deviceIds.length === chunk.untried ? deviceIds : await readUntried(db, job, chunk.chunk_no),
    askedSince: instant(chunk.asked_since),
  }
}

/**
 * The devices of a row `c` of `chunks` without a row of their own. If a device was ended by itself while the statement was about to lock the
 * chunk, the statement sees the counters after that, and the rows before: there is one more than `device_count - attempted`. See
 * `readUntried`.
 */
export const untriedIds: SQL = sql.raw(
  `case c.attempted when 0 then c.device_ids else array(
     select id from unnest(c.device_ids) as id
      where not exists (
        select from device_jobs r where r.week = c.week and r.job_key = c.job_key and r.device_id = id)
      order by id collate "C") end`,
)

/** The same of a chunk that is claimed or locked, when the statement that did so has read too early: nobody ends its devices now. */
export async function readUntried(db: Db, { week, key }: RunningJob, chunkNo: number): Promise<DeviceId[]> {
  const [chunk] = await rows<{ ids: string[] }>(
    db,
    sql`select ${untriedIds} as ids from chunks c where week = ${week} and job_key = ${key} and chunk_no = ${chunkNo}`,
  )
  return (chunk?.ids ?? []).map(storedDeviceId)
}

/**
 * Locks the next ready chunk `c`, of the earliest stage. It passes over a chunk that another process holds just then, to move its counters or
 * for good. If that was the last one, a sweep wakes the job again.
 */
export function nextReady(job: RunningJob, columns: SQL, now: Date): SQL {
  return sql`
    select ${columns}
      from chunks c
     where week = ${job.week} and job_key = ${job.key} and status = 'ready' and attempted < device_count
       and ${mayTry(sql`not_before`, now)}
       and stage_no <= ${openStage(job.key, now)}
       and ${inOpenZone(job, sql`zone`, now)}
     order by stage_no, chunk_no
     limit 1
     for update skip locked`
}
