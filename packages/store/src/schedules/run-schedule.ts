import { type Job, parseJobId } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { cancelJob, insertJob } from '../jobs/jobs.ts'
import { briefly } from '../postgres/briefly.ts'
import { at, atOrNull, type Db, rows } from '../postgres/sql.ts'
import { type DueTimes, dueTimes } from './due-times.ts'
import { isSpent, type Schedule } from './schedule.ts'
import { type ScheduleRow, scheduleColumns, toSchedule } from './schedule-rows.ts'

/** What one step of a schedule has done. */
export interface ScheduleStep {
  /** The run that was made. */
  readonly job: Job | null
  /** The run before it, which was cancelled for it. */
  readonly cancelled: Job | null
  /** The time of a run that was not made. */
  readonly skipped: Date | null
  /** The time of a run that waits from now on. */
  readonly queued: Date | null
  readonly missedCount: number
  readonly lastMissed: Date | null
}

const idle: ScheduleStep = {
  job: null,
  cancelled: null,
  skipped: null,
  queued: null,
  missedCount: 0,
  lastMissed: null,
}

/** Schedules with something to do, those that are due longest first. */
export async function findDueSchedules(db: Db, { limit }: { readonly limit: number }, now: Date): Promise<string[]> {
  const found = await rows<{ schedule_id: string }>(
    db,
    sql`
    select schedule_id
      from (select schedule_id, next_at as due_at from schedules where next_at <= ${at(now)}
             union all
            select schedule_id, waiting_at from schedules where waiting_at is not null and not ${isRunning}) as due
     group by schedule_id
     order by min(due_at), schedule_id
     limit ${limit}`,
  )
  return found.map((row) => row.schedule_id)
}

/**
 * Does what is due of a schedule, in one transaction: makes the job of a run and moves the schedule on. So a time has one run, however many
 * dispatchers look, and a crash leaves nothing. A run that waits goes before the times that have come. Null: nothing is due, or another
 * process is at it.
 */
export async function runSchedule(db: Db, scheduleId: string, now: Date): Promise<ScheduleStep | null> {
  return briefly(db, async (tx) => {
    const schedule = await lockUnlessLocked(tx, scheduleId)
    if (schedule === null) return null
    const { waitingTime, nextTime } = schedule
    const isBusy = await isBusyWith(tx, scheduleId)
    if (waitingTime !== null && !isBusy) return startWaiting(tx, schedule, waitingTime, now)
    if (nextTime === null || nextTime > now) return null
    return meetTimes(tx, schedule, isBusy, now)
  })
}

/** Whether the last job of a row of `schedules` has not ended. */
const isRunning: SQL = sql.raw(
  `exists (select from jobs where jobs.job_id = schedules.last_job_id and jobs.status in ('queued', 'scheduled', 'running'))`,
)

async function lockUnlessLocked(tx: Db, scheduleId: string): Promise<Schedule | null> {
  const [row] = await rows<ScheduleRow>(
    tx,
    sql`select ${scheduleColumns} from schedules where schedule_id = ${scheduleId} for update skip locked`,
  )
  return row === undefined ? null : toSchedule(row)
}

/** A statement of its own: that of the lock may not see the job which another process made before it gave the lock away. */
async function isBusyWith(tx: Db, scheduleId: string): Promise<boolean> {
  const [row] = await rows<{ is_running: boolean }>(
    tx,
    sql`select ${isRunning} as is_running from schedules where schedule_id = ${scheduleId}`,
  )
  return row?.is_running ?? false
}

async function startWaiting(tx: Db, schedule: Schedule, waitingTime: Date, now: Date): Promise<ScheduleStep> {
  const job = await insertRun(tx, schedule, waitingTime, now)
  const step = job === null ? { ...idle, skipped: waitingTime } : { ...idle, job }
  await move(tx, schedule, { step, runAt: waitingTime, next: schedule.nextTime, waiting: null })
  return step
}

async function meetTimes(tx: Db, schedule: Schedule, isBusy: boolean, now: Date): Promise<ScheduleStep> {
  const due = dueTimes(schedule, now)
  const step = { ...(await meet(tx, schedule, due, isBusy, now)), ...missedOf(due) }
  await move(tx, schedule, { step, ...due, waiting: step.queued ?? schedule.waitingTime })
  return step
}

function missedOf({ missedCount, lastMissed }: DueTimes): Pick<ScheduleStep, 'missedCount' | 'lastMissed'> {
  return { missedCount, lastMissed }
}

/** `isBusy`: the run before has not ended. */
async function meet(
  tx: Db,
  schedule: Schedule,
  { runAt }: DueTimes,
  isBusy: boolean,
  now: Date,
): Promise<ScheduleStep> {
  const { overlap, waitingTime, lastJobId } = schedule
  if (runAt === null) return idle
  if (isBusy && overlap === 'queue' && waitingTime === null) return { ...idle, queued: runAt }
  if (isBusy && (overlap !== 'cancelPrevious' || (await isPaused(tx, lastJobId)))) return { ...idle, skipped: runAt }
  const job = await insertRun(tx, schedule, runAt, now)
  if (job === null) return { ...idle, skipped: runAt }
  if (!isBusy || lastJobId === null) return { ...idle, job }
  const cancellation = await cancelJob(tx, lastJobId, now, askerOf(schedule))
  return { ...idle, job, cancelled: cancellation.kind === 'cancelled' ? cancellation.job : null }
}

/**
 * Whether somebody holds the job of the run before. Such a job is not cancelled: who paused it, or stopped many, can undo that. Its row is
 * locked, so that nobody pauses it before it is cancelled.
 */
async function isPaused(tx: Db, jobId: string | null): Promise<boolean> {
  const [job] = await rows<{ is_paused: boolean }>(
    tx,
    sql`select paused_at is not null as is_paused from jobs where job_id = ${jobId} for no key update`,
  )
  return job?.is_paused ?? false
}

/** Its window begins when it is made, also if that is late. Null: there is a job of its id already. */
async function insertRun(tx: Db, schedule: Schedule, time: Date, now: Date): Promise<Job | null> {
  const { scheduleId, job } = schedule
  const jobId = parseJobId(runJobId(scheduleId, time))
  return insertJob(tx, { ...job, jobId, startTime: time, asker: askerOf(schedule), scheduleId }, now)
}

/** The id of the job of a run: such as nightly-20260302T030000Z. */
function runJobId(scheduleId: string, time: Date): string {
  return `${scheduleId}-${time.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`
}

function askerOf({ scheduleId }: Schedule) {
  return { actor: `schedule:${scheduleId}`, clientAddress: null }
}

interface Move {
  readonly step: ScheduleStep
  readonly runAt: Date | null
  readonly next: Date | null
  readonly waiting: Date | null
}

async function move(tx: Db, schedule: Schedule, { step, runAt, next, waiting }: Move): Promise<void> {
  const { job, skipped, missedCount, lastMissed } = step
  const runCount = schedule.runCount + (job === null ? 0 : 1)
  const isOver = isSpent({ ...schedule, runCount, waitingTime: waiting })
  const moved = await rows(
    tx,
    sql`
    update schedules
       set next_at = ${atOrNull(isOver ? null : next)},
           waiting_at = ${atOrNull(waiting)},
           run_count = ${runCount},
           skipped_count = skipped_count + ${skipped === null ? 0 : 1}::int,
           missed_count = missed_count + ${missedCount}::int,
           last_run_at = coalesce(${atOrNull(job === null ? null : runAt)}, last_run_at),
           last_job_id = coalesce(${job?.jobId ?? null}, last_job_id),
           last_skipped_at = coalesce(${atOrNull(skipped)}, last_skipped_at),
           last_missed_at = coalesce(${atOrNull(lastMissed)}, last_missed_at)
     where schedule_id = ${schedule.scheduleId}
       and next_at is not distinct from ${atOrNull(schedule.nextTime)}
       and waiting_at is not distinct from ${atOrNull(schedule.waitingTime)}
    returning schedule_id`,
  )
  if (moved.length === 0) throw new Error(`the schedule ${schedule.scheduleId} was moved although it was locked`)
}
