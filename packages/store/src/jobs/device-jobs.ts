import { type DeviceId, type JobKey, jobKey, storedDeviceId } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { prepared } from '../postgres/prepared.ts'
import { at, type Db, instant, texts } from '../postgres/sql.ts'
import { ofOpenWindow, openStage, type RunningJob } from './chunks.ts'
import { isAnswerable, withDevice } from './gone-devices.ts'
import { claimPermitted, type NotNow, spend } from './rollout/permission.ts'
import { inOpenZone, putOffClosed } from './rollout/windows.ts'
import { isAlive } from './workers.ts'

/** Device jobs claimed one by one after their first attempt. `attempt` is the fence of each. */
export interface ClaimedDeviceJobs {
  readonly job: RunningJob
  readonly attempts: readonly ClaimedDeviceJob[]
}

export interface ClaimedDeviceJob {
  readonly deviceId: DeviceId
  readonly attempt: number
  /** How often the device certainly got the call. */
  readonly deliveries: number
  /** How often nobody knows whether it did. */
  readonly unknownDeliveries: number
  /** How often the device has put it off. */
  readonly notNows: number
  /** The first claim since the last recorded outcome. If it is not this one, an earlier worker may have called the device. */
  readonly askedSince: Date
}

/**
 * Claims up to `limit` due device jobs of a job. Null when there is none, the job may not start attempts, or the lease of the worker
 * has ended; not now when its limits forbid it.
 */
export async function claimDueDeviceJobs(
  db: Db,
  job: RunningJob,
  { workerId, limit }: { readonly workerId: string; readonly limit: number },
  now: Date,
): Promise<ClaimedDeviceJobs | NotNow | null> {
  const claimed = await (job.isLimited
    ? takePermitted(db, job, { workerId, limit }, now)
    : takeDueDeviceJobs(db, job, { workerId, limit }, now))
  if (claimed === null) await putOffClosed(db, job, now)
  return claimed
}

function takePermitted(
  db: Db,
  job: RunningJob,
  { workerId, limit }: { readonly workerId: string; readonly limit: number },
  now: Date,
): Promise<ClaimedDeviceJobs | NotNow | null> {
  return claimPermitted(
    db,
    job,
    async (tx, { portion, room }) => {
      const claimed = await takeDueDeviceJobs(tx, job, { workerId, limit: Math.min(limit, portion, room) }, now)
      if (claimed !== null) await spend(tx, job, claimed.attempts.length, now)
      return claimed
    },
    now,
  )
}

/**
 * In one statement. It locks the chunks first: after a wait for one Postgres looks again whether its rest has ended. It waits for no row
 * of a device, so those who lock these before the chunks cannot wait for it.
 */
async function takeDueDeviceJobs(
  db: Db,
  job: RunningJob,
  { workerId, limit }: { readonly workerId: string; readonly limit: number },
  now: Date,
): Promise<ClaimedDeviceJobs | null> {
  // The index of due rows leaves out `infinity`. A plan for any values takes it only if the statement does so too.
  const claimed = await prepared<DueRow>(
    db,
    'claimDueDeviceJobs',
    sql`
    with due as materialized (
      select r.device_id, r.chunk_no
        from device_jobs r
        join chunks c using (week, job_key, chunk_no)
       where r.week = ${job.week} and r.job_key = ${job.key} and r.status = 'pending' and r.due_at <= ${at(now)}
         and r.due_at < 'infinity' and c.rest is null and c.status <> 'held'
         and c.stage_no <= ${openStage(job.key, now)}
         and ${inOpenZone(job, sql`c.zone`, now)}
         and ${isAlive(workerId, now)}
       order by r.due_at
       limit ${limit}),
    open as materialized (
      select chunk_no
        from chunks
       where week = ${job.week} and job_key = ${job.key} and rest is null
         and chunk_no in (select chunk_no from due)
       order by chunk_no
         for update),
    free as materialized (
      select r.device_id
        from device_jobs r
        join due using (device_id)
        join open on open.chunk_no = due.chunk_no
       where r.week = ${job.week} and r.job_key = ${job.key} and r.status = 'pending' and r.due_at <= ${at(now)}
         for update of r skip locked),
    claimed as (
      update device_jobs r
         set status = 'running',
             attempt = attempt + 1,
             asked_since = coalesce(asked_since, ${at(now)}),
             due_at = null,
             leased_by = ${workerId},
             updated_at = ${at(now)}
        from free
       where r.week = ${job.week} and r.job_key = ${job.key} and r.device_id = free.device_id
         and r.status = 'pending'
      returning r.device_id, r.chunk_no, r.attempt, r.deliveries, r.unknown_deliveries,
                coalesce(r.not_nows, 0) as not_nows, r.asked_since),
    counted as (select chunk_no, count(*)::int as n from claimed group by chunk_no),
    moved as (
      update chunks c
         set running = running + n
        from counted
       where c.week = ${job.week} and c.job_key = ${job.key} and c.chunk_no = counted.chunk_no)
    select device_id, attempt, deliveries, unknown_deliveries, not_nows, asked_since::text from claimed`,
  )
  if (claimed.length === 0) return null
  return {
    job,
    attempts: claimed.map(({ device_id, attempt, deliveries, unknown_deliveries, not_nows, asked_since }) => ({
      deviceId: storedDeviceId(device_id),
      attempt,
      deliveries,
      unknownDeliveries: unknown_deliveries,
      notNows: not_nows,
      askedSince: instant(asked_since),
    })),
  }
}

interface DueRow extends Record<string, unknown> {
  readonly device_id: string
  readonly attempt: number
  readonly deliveries: number
  readonly unknown_deliveries: number
  readonly not_nows: number
  readonly asked_since: string
}

/** Makes device jobs that wait for these devices due. Returns the jobs whose workers must be woken. */
export async function markReachable(db: Db, deviceIds: readonly string[], now: Date): Promise<JobKey[]> {
  const found = await prepared<{ job_key: string }>(
    db,
    'markReachable',
    sql`
    with waiting as (
      select r.week, r.job_key, r.device_id
        from device_jobs r
       where r.device_id = any(${texts(deviceIds)})
         and r.status = 'pending' and r.due_at = 'infinity'
         and ${ofOpenWindow(now)}
       order by r.week, r.job_key, r.device_id
         for update of r),
    ${nowDue(now)}
    select distinct job_key::text from reached`,
  )
  return found.map((row) => jobKey(row.job_key))
}

/**
 * Closes the race between a worker that finds a device offline and the gateway that sees it connect, or the caller who deletes it. Call
 * it after the commit of the wait: what can be attempted now is due at once. Returns how many there were.
 */
export async function markDueWhereReachable(
  db: Db,
  job: RunningJob,
  deviceIds: readonly string[],
  now: Date,
): Promise<number> {
  const due = await prepared(
    db,
    'markDueWhereReachable',
    sql`
    with waiting as (
      select r.week, r.job_key, r.device_id
        from device_jobs r
        ${withDevice(sql`r.device_id`)}
       where r.week = ${job.week} and r.job_key = ${job.key} and r.device_id = any(${texts(deviceIds)})
         and r.status = 'pending' and r.due_at = 'infinity'
         and ${isAnswerable(sql`${job.lastGenerationNo}::bigint`)}
       order by r.device_id
         for update of r),
    ${nowDue(now)}
    select device_id from reached`,
  )
  return due.length
}

/** Makes waiting device jobs due. Locks them in key order, so that two of these statements cannot wait for each other. */
export function nowDue(now: Date): SQL {
  return sql`reached as (
      update device_jobs r
         set due_at = ${at(now)}
        from waiting w
       where r.week = w.week and r.job_key = w.job_key and r.device_id = w.device_id
         and r.status = 'pending' and r.due_at = 'infinity'
      returning r.job_key, r.device_id)`
}
