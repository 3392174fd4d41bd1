import {
  type DeviceError,
  type DeviceId,
  type JobKey,
  type JobType,
  type JsonObject,
  storedDeviceId,
} from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { prepared } from '../postgres/prepared.ts'
import { at, type Db, instant, rows, texts } from '../postgres/sql.ts'

/** A running job as its workers need it, locked against a cancel for the rest of the transaction. */
export interface RunningJob {
  readonly key: JobKey
  readonly jobId: string
  readonly type: JobType
  readonly week: string
  readonly body: JsonObject
  readonly deadlineAt: Date
}

/** Names one claim, so that a renewal extends only claims that are under way; and how long the claim holds, in ms. */
export interface Lease {
  readonly leaseId: string
  readonly leaseMs: number
}

/** A chunk whose devices this worker may attempt until the lease ends. A write with an old `fence` changes nothing. */
export interface ClaimedChunk {
  readonly job: RunningJob
  readonly chunkNo: number
  readonly fence: number
  /** Devices whose first attempt has not been recorded. */
  readonly deviceIds: readonly DeviceId[]
  /** The first claim of the chunk. If it is not this one, an earlier worker may have called these devices. */
  readonly askedSince: Date
}

/**
 * Reads a job that may start attempts now: running, and inside its window. With the shared lock a cancel waits for the claim, and
 * the claim sees an earlier cancel: after a cancel has committed, no claim succeeds. It is an advisory lock, because shared holders of
 * a row lock overtake a waiting cancel for ever. Call it first in the claiming transaction.
 */
export async function lockRunningJob(tx: Db, key: JobKey, now: Date): Promise<RunningJob | null> {
  await prepared(tx, 'shareJobLock', sql`select pg_advisory_xact_lock_shared(${jobLock(key)})`)
  const [job] = await prepared<{ job_id: string; type: JobType; week: string; body: string; deadline_at: string }>(
    tx,
    'lockRunningJob',
    sql`
    select job_id, type, week::text, body::text, deadline_at::text
      from jobs
     where job_key = ${key}
       and status = 'running'
       and deadline_at > ${at(now)}`,
  )
  return job === undefined
    ? null
    : {
        key,
        jobId: job.job_id,
        type: job.type,
        week: job.week,
        body: JSON.parse(job.body),
        deadlineAt: instant(job.deadline_at),
      }
}

/** Keeps claims of a job out until the transaction ends. Claims under way commit first, and later ones see its end. */
export async function lockOutClaims(tx: Db, key: JobKey): Promise<void> {
  await rows(tx, sql`select pg_advisory_xact_lock(${jobLock(key)})`)
}

/** Two numbers, so that the lock of a job differs from every lock of one number. Two jobs with the same lock only wait for each other. */
function jobLock(key: JobKey): SQL {
  return sql`7301, (${key}::bigint % 2147483647)::int`
}

/** The type of a running job. Null when it does not run, so there is nothing to claim. */
export async function readRunningType(db: Db, key: JobKey): Promise<JobType | null> {
  const [job] = await prepared<{ type: JobType }>(
    db,
    'readRunningType',
    sql`select type from jobs where job_key = ${key} and status = 'running'`,
  )
  return job?.type ?? null
}

/** Claims the next ready chunk of a job that `lockRunningJob` gave in this transaction. Null when none is ready. */
export async function claimChunk(tx: Db, job: RunningJob, lease: Lease, now: Date): Promise<ClaimedChunk | null> {
  const [chunk] = await prepared<{ chunk_no: number; fence: number; device_ids: string[]; asked_since: string }>(
    tx,
    'claimChunk',
    sql`
      update chunks c
         set status = 'leased',
             fence = fence + 1,
             leased_by = ${lease.leaseId},
             lease_until = ${at(new Date(now.getTime() + lease.leaseMs))},
             asked_since = coalesce(asked_since, ${at(now)}),
             running = running + device_count - attempted
       where week = ${job.week}
         and job_key = ${job.key}
         and chunk_no = (
           select chunk_no from chunks
            where week = ${job.week} and job_key = ${job.key} and status = 'ready'
            order by chunk_no
            limit 1
            for update skip locked)
      returning chunk_no, fence, asked_since::text,
                case attempted when 0 then device_ids else array(
                  select id from unnest(device_ids) as id
                   where not exists (
                     select from device_jobs r where r.week = c.week and r.job_key = c.job_key and r.device_id = id)
                  order by id collate "C")
                end as device_ids`,
  )
  if (chunk === undefined) return null
  return {
    job,
    chunkNo: chunk.chunk_no,
    fence: chunk.fence,
    deviceIds: chunk.device_ids.map(storedDeviceId),
    askedSince: instant(chunk.asked_since),
  }
}

/** A chunk whose work is done inside the transaction that holds its lock: no lease, no fence, exactly once. */
export interface LockedChunk {
  readonly job: RunningJob
  readonly chunkNo: number
  readonly deviceIds: readonly DeviceId[]
}

/** Locks the next ready chunk of a job for the rest of the transaction. Null when none is ready. */
export async function lockChunk(tx: Db, job: RunningJob): Promise<LockedChunk | null> {
  const [chunk] = await prepared<{ chunk_no: number; device_ids: string[] }>(
    tx,
    'lockChunk',
    sql`
    select chunk_no, device_ids
      from chunks
     where week = ${job.week} and job_key = ${job.key} and status = 'ready'
     order by chunk_no
     limit 1
     for update skip locked`,
  )
  return chunk === undefined ? null : { job, chunkNo: chunk.chunk_no, deviceIds: chunk.device_ids.map(storedDeviceId) }
}

/**
 * Ends a locked chunk. Every device succeeded, except the failed ones. A device that succeeded needs no row.
 */
export async function finishLockedChunk(
  tx: Db,
  chunk: LockedChunk,
  failures: readonly { readonly deviceId: string; readonly error: DeviceError }[],
  now: Date,
): Promise<void> {
  const { job, chunkNo } = chunk
  if (failures.length > 0) {
    await rows(
      tx,
      sql`
      insert into device_jobs (week, job_key, chunk_no, device_id, status, attempt, updated_at, error_code, error_text)
      select ${job.week}::date, ${job.key}::bigint, ${chunkNo}::int, device_id, 'failed', 1, ${at(now)}, code, text
        from unnest(${texts(failures.map((failure) => failure.deviceId))},
                    ${texts(failures.map((failure) => failure.error.code))},
                    ${texts(failures.map((failure) => failure.error.description))}) as failure (device_id, code, text)
      returning device_id`,
    )
  }
  await prepared(
    tx,
    'finishLockedChunk',
    sql`
    update chunks
       set status = 'attempted',
           attempted = device_count,
           succeeded = device_count - ${failures.length}::int,
           failed = ${failures.length}::int,
           rest = 'completed',
           rest_at = ${at(now)}
     where week = ${job.week} and job_key = ${job.key} and chunk_no = ${chunkNo}
       and status = 'ready'
    returning chunk_no`,
  )
}
