import { type Extensions, type JobKey, type JsonObject, windowStateAt } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { at, type Db, rows, texts } from '../../postgres/sql.ts'
import { mayTry } from '../next-try.ts'

/** What tells when devices of a running job may be attempted. */
export interface WindowedJob {
  readonly key: JobKey
  readonly week: string
  readonly body: JsonObject
  readonly extensions: Extensions
  readonly deadlineAt: Date
  /** The zones of its devices. Null: it has no windows, or a dispatcher has started it that knew none. */
  readonly zones: readonly string[] | null
}

/** Of devices that name none, or one that nobody knows. */
const zoneDefault = 'UTC'

/** Whether devices of a zone, a column of their chunk, may be attempted at this time. */
export function inOpenZone(job: WindowedJob, zone: SQL, now: Date): SQL {
  const open = openZones(job, now)
  const zones = open === null ? sql`${null}::text[]` : texts(open)
  return sql`(${zones} is null or coalesce(${zone}, ${sql.raw(`'${zoneDefault}'`)}) = any(${zones}))`
}

/** When a call that is claimed at this time must have reached its device: at the first end of an open window. Null: it has no windows. */
export function windowEnd(job: WindowedJob, now: Date): Date | null {
  const ends = statesOf(job, now).flatMap(({ isOpen, until }) => (isOpen && until !== null ? [until.getTime()] : []))
  return ends.length === 0 ? null : new Date(Math.min(...ends))
}

/** Device jobs that one statement puts off. */
const mostRows = 10_000

/**
 * Puts off what is ready and due in zones whose windows are closed until they open, so that nobody is woken for it before. A claim does not
 * rely on it: it looks at the windows itself. What others hold just then is put off by a later call.
 */
export async function putOffClosed(db: Db, job: WindowedJob, now: Date): Promise<void> {
  const closed = statesOf(job, now).filter(({ isOpen }) => !isOpen)
  if (closed.length === 0) return
  const zones = sql`
    closed as (
      select zone, opens_at::timestamptz
        from unnest(${texts(closed.map(({ zone }) => zone))},
                    ${texts(closed.map(({ until }) => (until ?? job.deadlineAt).toISOString()))}) as z (zone, opens_at))`
  await putOffChunks(db, job, zones, now)
  await putOffDeviceJobs(db, job, zones, now)
}

async function putOffChunks(db: Db, { week, key }: WindowedJob, zones: SQL, now: Date): Promise<void> {
  await rows(
    db,
    sql`
    with ${zones},
    early as (
      select chunk_no, opens_at
        from chunks c
        join closed on closed.zone = coalesce(c.zone, ${zoneDefault})
       where c.week = ${week} and c.job_key = ${key} and c.status = 'ready'
         and ${mayTry(sql`c.not_before`, now)}
       order by chunk_no
         for update of c skip locked)
    update chunks c
       set not_before = opens_at
      from early
     where c.week = ${week} and c.job_key = ${key} and c.chunk_no = early.chunk_no
       and c.status = 'ready'
    returning c.chunk_no`,
  )
}

async function putOffDeviceJobs(db: Db, { week, key }: WindowedJob, zones: SQL, now: Date): Promise<void> {
  await rows(
    db,
    sql`
    with ${zones},
    early as (
      select r.device_id, opens_at
        from device_jobs r
        join chunks c using (week, job_key, chunk_no)
        join closed on closed.zone = coalesce(c.zone, ${zoneDefault})
       where r.week = ${week} and r.job_key = ${key} and r.status = 'pending' and r.due_at <= ${at(now)}
         and r.due_at < 'infinity' and c.rest is null
       order by r.device_id
       limit ${mostRows}
         for update of r skip locked)
    update device_jobs r
       set due_at = opens_at
      from early
     where r.week = ${week} and r.job_key = ${key} and r.device_id = early.device_id
       and r.status = 'pending'
    returning r.device_id`,
  )
}

/** Null: the job has no windows, so every zone is open. */
function openZones(job: WindowedJob, now: Date): readonly string[] | null {
  if (job.extensions.windows === undefined) return null
  return statesOf(job, now).flatMap(({ zone, isOpen }) => (isOpen ? [zone] : []))
}

/** The zones of the devices of a job, each with the state of its windows. Empty: it has no windows. */
export function statesOf({ extensions: { windows }, zones, body }: WindowedJob, now: Date) {
  if (windows === undefined) return []
  const responseMs = Number(body.responseTimeoutInSeconds ?? 0) * 1000
  return (zones ?? [zoneDefault]).map((zone) => ({ zone, ...windowStateAt(windows, { zone, responseMs }, now) }))
}
