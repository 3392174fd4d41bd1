import type { JobType } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { briefly, setLocally } from '../../postgres/briefly.ts'
import { isStatementTimeout } from '../../postgres/database-error.ts'
import { at, type Db, instant, instantOrNull, rows } from '../../postgres/sql.ts'
import type { Asker } from '../job-events.ts'
import { pauseJobs, type Resumed, resumeJobs } from './pause.ts'

/** Which jobs to stop, and why. Null: any type or id, and no reason. */
export interface StopRequest {
  readonly asker: Asker
  readonly reason: string | null
  readonly type: JobType | null
  readonly jobIdPrefix: string | null
}

/** Jobs that were paused together. */
export interface Stop extends Omit<StopRequest, 'asker'> {
  readonly stopNo: number
  readonly time: Date
  readonly actor: string | null
  readonly pausedCount: number
  /** Calls that were handed over to devices after that time, as far as it is known. Null: it could not be counted in time. */
  readonly handedOverCount: number | null
  /** Devices of which it is not known yet, because their calls are under way. */
  readonly undecidedCount: number | null
  /** Null: it was not resumed. */
  readonly resumedTime: Date | null
  readonly resumedCount: number | null
}

/** Pauses all jobs that have not ended and are not paused, with one statement over them. Returns the number of the stop. */
export async function stopJobs(db: Db, { asker, reason, type, jobIdPrefix }: StopRequest, now: Date): Promise<number> {
  return briefly(db, async (tx) => {
    const [stop] = await rows<{ stop_no: string }>(
      tx,
      sql`
      insert into stops (at, actor, client_address, reason, job_type, job_id_prefix)
      values (${at(now)}, ${asker.actor}, ${asker.clientAddress}, ${reason}, ${type}, ${jobIdPrefix})
      returning stop_no::text`,
    )
    const stopNo = Number(stop?.stop_no)
    const which = sql`
      (${type}::text is null or type = ${type}) and (${jobIdPrefix}::text is null or starts_with(job_id, ${jobIdPrefix}))`
    const paused = await pauseJobs(tx, which, { asker, reason, stopNo }, now)
    await rows(
      tx,
      sql`update stops set paused_count = ${paused.length} where stop_no = ${stopNo} and paused_count = 0 returning stop_no`,
    )
    return stopNo
  })
}

/** A call is delivered so long after its claim at most, by clocks that differ by a second. */
const handOverMs = 4_000
const countMs = 2_000

/**
 * A stop, and what became of the calls that were under way. Null: there is none of this number. `isSettled`: claims that were under way
 * at that time have committed. When then no call is undecided, the count is kept: calls after a resumption are no part of it.
 */
export async function readStop(
  db: Db,
  stopNo: number,
  { isSettled }: { readonly isSettled: boolean },
): Promise<Stop | null> {
  const [row] = await rows<StopRow>(
    db,
    sql`
    select stop_no::text, at::text, actor, reason, job_type, job_id_prefix, paused_count, handed_over_count,
           resumed_at::text, resumed_count
      from stops
     where stop_no = ${stopNo}`,
  )
  if (row === undefined) return null
  const counts =
    row.handed_over_count === null
      ? await countHandedOver(db, stopNo)
      : { handedOverCount: row.handed_over_count, undecidedCount: 0 }
  if (isSettled && row.handed_over_count === null && counts?.undecidedCount === 0) {
    await keepCount(db, stopNo, counts.handedOverCount)
  }
  return { ...toStop(row), ...(counts ?? { handedOverCount: null, undecidedCount: null }) }
}

interface Counts {
  readonly handedOverCount: number
  readonly undecidedCount: number
}

/** Reads each device job of the stopped jobs that has a row. A delivery of which nobody is sure counts. Null: it takes too long. */
async function countHandedOver(db: Db, stopNo: number): Promise<Counts | null> {
  const counting = db.transaction(async (tx) => {
    await setLocally(tx, { statement_timeout: countMs })
    const [counted] = await rows<{ handed_over: number; undecided: number }>(
      tx,
      sql`
      with stopped as materialized (
        select week, job_key, paused_at, s.at
          from jobs
          join stops s using (stop_no)
         where stop_no = ${stopNo} and week is not null)
      select (select count(*)
                from stopped j, lateral (
                  select from device_jobs r
                   where r.week = j.week and r.job_key = j.job_key
                     and (r.delivered_at > j.at and r.delivered_at <= j.at + ${handOverMs}::int * interval '1 millisecond'
                          or r.unknown_deliveries > 0 and r.updated_at > j.at)) as row)::int as handed_over,
             (select coalesce(sum(c.running), 0)
                from stopped j
                join chunks c on c.week = j.week and c.job_key = j.job_key and c.is_open
               where j.paused_at is not null)::int as undecided`,
    )
    return { handedOverCount: counted?.handed_over ?? 0, undecidedCount: counted?.undecided ?? 0 }
  })
  return counting.catch((error: unknown) => {
    if (isStatementTimeout(error)) return null
    throw error
  })
}

async function keepCount(db: Db, stopNo: number, count: number): Promise<void> {
  await rows(
    db,
    sql`
    update stops set handed_over_count = ${count}
     where stop_no = ${stopNo} and handed_over_count is null
    returning stop_no`,
  )
}

/**
 * Resumes the jobs that are still paused by a stop. What was counted until then of the calls handed over is kept. Null: there is none of
 * this number.
 */
export async function resumeStop(db: Db, stopNo: number, asker: Asker, now: Date): Promise<readonly Resumed[] | null> {
  const counts = await countHandedOver(db, stopNo)
  if (counts !== null) await keepCount(db, stopNo, counts.handedOverCount)
  return briefly(db, async (tx) => {
    const [stop] = await rows(tx, sql`select stop_no from stops where stop_no = ${stopNo} for update`)
    if (stop === undefined) return null
    const resumed = await resumeJobs(tx, sql`stop_no = ${stopNo}`, asker, now)
    await rows(
      tx,
      sql`
      update stops
         set resumed_at = coalesce(resumed_at, ${at(now)}), resumed_count = coalesce(resumed_count, 0) + ${resumed.length}
       where stop_no = ${stopNo}
      returning stop_no`,
    )
    return resumed
  })
}

/** Deletes stops before a time of which no job is left. */
export async function purgeStops(db: Db, before: Date): Promise<void> {
  await rows(
    db,
    sql`
    delete from stops
     where at < ${at(before)} and not exists (select from jobs where jobs.stop_no = stops.stop_no)
    returning stop_no`,
  )
}

interface StopRow extends Record<string, unknown> {
  readonly stop_no: string
  readonly at: string
  readonly actor: string | null
  readonly reason: string | null
  readonly job_type: JobType | null
  readonly job_id_prefix: string | null
  readonly paused_count: number
  readonly handed_over_count: number | null
  readonly resumed_at: string | null
  readonly resumed_count: number | null
}

function toStop(row: StopRow): Omit<Stop, 'handedOverCount' | 'undecidedCount'> {
  return {
    stopNo: Number(row.stop_no),
    time: instant(row.at),
    actor: row.actor,
    reason: row.reason,
    type: row.job_type,
    jobIdPrefix: row.job_id_prefix,
    pausedCount: row.paused_count,
    resumedTime: instantOrNull(row.resumed_at),
    resumedCount: row.resumed_count,
  }
}
