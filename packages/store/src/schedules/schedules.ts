import { limits, type Rhythm, runTimeAfter } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { briefly } from '../postgres/briefly.ts'
import { fillPage } from '../postgres/fill-page.ts'
import type { Page, WrittenPageRequest } from '../postgres/page.ts'
import { at, atOrNull, type Db, rows, texts } from '../postgres/sql.ts'
import { isSpent, type Schedule, type ScheduleRequest } from './schedule.ts'
import { type ScheduleRow, scheduleColumns, toSchedule } from './schedule-rows.ts'

/** A schedule as a caller asks for it. Times without a start are counted from the time at which the schedule was made. */
export type ScheduleDraft = Omit<ScheduleRequest, 'times'> & {
  readonly times: Omit<ScheduleRequest['times'], 'rhythm'> & {
    readonly rhythm: Exclude<Rhythm, { kind: 'every' }> | { readonly kind: 'every'; readonly seconds: number }
  }
}

export type SchedulePut =
  | { readonly kind: 'put'; readonly schedule: Schedule }
  /** The hub has `limits.schedules` already. */
  | { readonly kind: 'full' }
  /** No time of a run lies ahead. */
  | { readonly kind: 'never' }

/** One put at a time, so that the bound holds. Any number that no other advisory lock of the database uses. */
const putLock = 7_301_967

/**
 * Adds a schedule, or replaces the one of this id, which keeps its counts. Jobs that it has made stay as they are. A run that is due already
 * is made after the new description.
 */
export async function putSchedule(db: Db, draft: ScheduleDraft, actor: string | null, now: Date): Promise<SchedulePut> {
  return briefly(db, async (tx) => {
    await rows(tx, sql`select pg_advisory_xact_lock(${putLock})`)
    const found = await lockSchedule(tx, draft.scheduleId)
    if (found === null && (await countSchedules(tx)) >= limits.schedules) return { kind: 'full' }
    const request = anchored(draft, found?.createdTime ?? now)
    const due = found?.nextTime != null && found.nextTime <= now ? found.nextTime : null
    const nextTime = due ?? runTimeAfter(request.times, now)
    if (nextTime === null) return { kind: 'never' }
    const next = found !== null && isSpent({ ...found, maxRuns: draft.maxRuns }) ? null : nextTime
    return { kind: 'put', schedule: await writeSchedule(tx, request, { actor, next }, now) }
  })
}

/** No run is made of it meanwhile. */
async function lockSchedule(tx: Db, scheduleId: string): Promise<Schedule | null> {
  const [row] = await rows<ScheduleRow>(
    tx,
    sql`select ${scheduleColumns} from schedules where schedule_id = ${scheduleId} for update`,
  )
  return row === undefined ? null : toSchedule(row)
}

async function countSchedules(tx: Db): Promise<number> {
  const [counted] = await rows<{ count: number }>(tx, sql`select count(*)::int as count from schedules`)
  return counted?.count ?? 0
}

function anchored(draft: ScheduleDraft, madeAt: Date): ScheduleRequest {
  const { rhythm, startAt } = draft.times
  if (rhythm.kind === 'cron') return { ...draft, times: { ...draft.times, rhythm } }
  return { ...draft, times: { ...draft.times, rhythm: { ...rhythm, anchor: startAt ?? madeAt } } }
}

async function writeSchedule(
  tx: Db,
  { scheduleId, times, overlap, catchUp, maxRuns, job }: ScheduleRequest,
  { actor, next }: { readonly actor: string | null; readonly next: Date | null },
  now: Date,
): Promise<Schedule> {
  const { rhythm, startAt, endAt } = times
  const [cron, timeZone] = rhythm.kind === 'cron' ? [rhythm.cron, rhythm.timeZone] : [null, null]
  const [seconds, anchor] = rhythm.kind === 'every' ? [rhythm.seconds, rhythm.anchor] : [null, null]
  const targetIds = job.target.kind === 'devices' ? texts(job.target.deviceIds) : null
  const [row] = await rows<ScheduleRow>(
    tx,
    sql`
    insert into schedules (schedule_id, cron, time_zone, every_seconds, anchor_at, overlap, catch_up, start_at, end_at, max_runs,
                           type, query_condition, target_ids, body, max_execution_seconds, extensions, created_at, updated_at,
                           actor, next_at)
    values (${scheduleId}, ${cron}, ${timeZone}, ${seconds}, ${atOrNull(anchor)}, ${overlap}, ${catchUp}, ${atOrNull(startAt)},
            ${atOrNull(endAt)}, ${maxRuns}, ${job.type}, ${job.queryCondition}, ${targetIds}, ${JSON.stringify(job.body)}::json,
            ${job.maxExecutionTimeInSeconds}, ${JSON.stringify(job.extensions)}::json, ${at(now)}, ${at(now)}, ${actor},
            ${atOrNull(next)})
        on conflict (schedule_id) do update
       set (cron, time_zone, every_seconds, anchor_at, overlap, catch_up, start_at, end_at, max_runs, type, query_condition,
            target_ids, body, max_execution_seconds, extensions, updated_at, actor, next_at)
         = (excluded.cron, excluded.time_zone, excluded.every_seconds, excluded.anchor_at, excluded.overlap, excluded.catch_up,
            excluded.start_at, excluded.end_at, excluded.max_runs, excluded.type, excluded.query_condition, excluded.target_ids,
            excluded.body, excluded.max_execution_seconds, excluded.extensions, excluded.updated_at, excluded.actor,
            excluded.next_at)
    returning ${scheduleColumns}`,
  )
  if (row === undefined) throw new Error(`the schedule ${scheduleId} was neither added nor replaced`)
  return toSchedule(row)
}

/** Null when there is none of this id. */
export async function readSchedule(db: Db, scheduleId: string): Promise<Schedule | null> {
  const [row] = await rows<ScheduleRow>(
    db,
    sql`select ${scheduleColumns} from schedules where schedule_id = ${scheduleId}`,
  )
  return row === undefined ? null : toSchedule(row)
}

/** A page of schedules, in the order of their ids. */
export async function listSchedules(db: Db, { limit, after, write }: WrittenPageRequest<Schedule>): Promise<Page> {
  return fillPage<ScheduleRow>((statement) => rows(db, statement), limit, {
    parts: [
      (last, count) => sql`
      select ${scheduleColumns}
        from schedules
       where schedule_id > ${last?.schedule_id ?? after ?? ''}
       order by schedule_id
       limit ${count}`,
    ],
    size: sql`octet_length(body::text) + octet_length(query_condition) + coalesce(octet_length(target_ids::text), 0)`,
    write: (row) => write(toSchedule(row)),
    placeOf: ({ schedule_id }) => schedule_id,
  })
}

/** False when there is none of this id. The jobs that it has made go on. */
export async function deleteSchedule(db: Db, scheduleId: string): Promise<boolean> {
  const deleted = await rows(db, sql`delete from schedules where schedule_id = ${scheduleId} returning schedule_id`)
  return deleted.length === 1
}
