import type { Extensions, JobKey, JobType, StageAbort } from '@muster/contract'
import { type Expression, parseCondition, QueryError } from '@muster/query'
import { type SQL, sql } from 'drizzle-orm'
import { briefly } from '../../postgres/briefly.ts'
import { databaseError, isStatementTimeout } from '../../postgres/database-error.ts'
import { prepared } from '../../postgres/prepared.ts'
import { at, type Db, instant, json, rows, texts } from '../../postgres/sql.ts'
import { closeChunks } from '../close-chunks.ts'
import { jobEvent } from '../job-events.ts'
import { fittingChunkSize } from '../rollout/permission.ts'
import { type Gate, gateBehind } from '../stages/gate.ts'
import { type Division, slicedAsOne, slicedByStage } from '../stages/stage-slices.ts'
import { ensurePartitions, weekOf } from './partitions.ts'
import { isDue, jobsAhead, placesTaken } from './places.ts'
import { listedDevices, matchingDevices } from './target-devices.ts'
import { slicedByZone, zoningOf } from './zones.ts'

export type JobStart =
  /** The target set is frozen and the job runs. After the end of its window it runs only to be completed: no device is attempted. */
  | {
      readonly kind: 'started'
      readonly jobId: string
      readonly type: JobType
      readonly priority: number
      readonly deviceCount: number
      readonly deadlineAt: Date
      readonly traceparent: string | null
    }
  /** No place is free. The job waits in `queued`. */
  | { readonly kind: 'full' }
  /** The job is not due, is being started by somebody else, runs already, or has ended. */
  | { readonly kind: 'idle' }

/** The condition of the job cannot be evaluated, however often it is tried. */
export class ConditionError extends Error {
  override readonly name = 'ConditionError'
}

/** Undoes a start. */
class UndoneError extends Error {
  readonly kind: 'full' | 'idle'

  constructor(kind: 'full' | 'idle') {
    super(`the start was undone: ${kind}`)
    this.kind = kind
  }
}

export interface StartOptions {
  readonly maxRunningJobs: number
  readonly chunkSize: (type: JobType) => number
}

/** How long the search for the target set may take. */
const searchMs = 60_000

/**
 * Starts a due job: moves it to `running` and freezes its target set into chunks, in one transaction and one snapshot. A
 * crash in the middle leaves nothing. While the target set is searched the row of the job is free, so that it can be cancelled.
 * @throws ConditionError when the condition cannot be evaluated; the job is unchanged then
 */
export async function startJob(db: Db, key: JobKey, options: StartOptions, now: Date): Promise<JobStart> {
  await ensurePartitions(db, now)
  try {
    return await briefly(db, (tx) => start(tx, key, options, now), { settings: { statement_timeout: searchMs } })
  } catch (error) {
    if (!(error instanceof UndoneError)) throw error
    if (error.kind === 'full') await queue(db, key)
    return { kind: error.kind }
  }
}

/** A due job that has no place waits in `queued`. Whoever tries next does it if this process dies before. */
async function queue(db: Db, key: JobKey): Promise<void> {
  await rows(
    db,
    sql`update jobs set status = 'queued' where job_key = ${key} and status = 'scheduled' returning job_key`,
  )
}

async function start(tx: Db, key: JobKey, options: StartOptions, now: Date): Promise<JobStart> {
  const due = (await isAlone(tx, key)) ? await readDue(tx, key, now) : null
  if (due === null) return { kind: 'idle' }
  if (!due.is_over) await findPlace(tx, key, options, now)
  const { deviceCount, stages, openStage, lastGenerationNo, zones } = await freeze(
    tx,
    key,
    due,
    fittingChunkSize(options.chunkSize(due.type), due),
    now,
  )
  if (!due.is_over) await takePlace(tx, key, options, now)
  const started = await rows(
    tx,
    sql`
    with started as (
      update jobs
         set status = 'running', week = ${weekOf(now)}, frozen_at = ${at(now)}, last_generation_no = ${lastGenerationNo},
             open_stage = ${openStage}, last_stage = ${stages.length - 1},
             zones = ${zones === null ? null : texts(zones)}
       where job_key = ${key}
         and status in ('queued', 'scheduled')
         and paused_at is null
      returning job_key),
    stage as (
      insert into stages (job_key, stage_no, device_count, opens_when, abort_when, opened_at, closed_at)
      select job_key, stage_no, device_count, opens_when, abort_when,
             case when stage_no <= ${openStage}::int then ${at(now)} end,
             case when stage_no < ${openStage}::int then ${at(now)} end
        from started, jsonb_to_recordset(${json(stages)})
             as stage (stage_no int, device_count int, opens_when jsonb, abort_when jsonb)),
    ${jobEvent({ kind: 'started', now, fields: sql`jsonb_build_object('deviceCount', ${deviceCount}::int)` }, sql`started`)}
    select job_key from started`,
  )
  if (started.length === 0) throw new UndoneError('idle')
  if (due.is_over) await closeChunks(tx, key, weekOf(now), 'expired', now)
  return {
    kind: 'started',
    jobId: due.job_id,
    type: due.type,
    priority: due.priority,
    deviceCount,
    deadlineAt: instant(due.deadline_at),
    traceparent: due.traceparent,
  }
}

/** Two numbers, so that the lock differs from every lock of one number. Two jobs with the same one do not start at the same moment. */
async function isAlone(tx: Db, key: JobKey): Promise<boolean> {
  const [lock] = await rows<{ is_taken: boolean }>(
    tx,
    sql`select pg_try_advisory_xact_lock(7301, (${key}::bigint % 2147483647)::int) as is_taken`,
  )
  return lock?.is_taken ?? false
}

async function readDue(tx: Db, key: JobKey, now: Date): Promise<DueRow | null> {
  const [due] = await rows<DueRow>(
    tx,
    sql`
    select job_id, type, query_condition, target_ids is not null as is_listed, deadline_at::text,
           deadline_at <= ${at(now)} as is_over, priority, rate, max_in_flight, extensions, traceparent,
           extensions -> 'parameters' is not null as is_by_device
      from jobs
     where job_key = ${key} and ${isDue(now)}`,
  )
  return due ?? null
}

/** One start at a time, so that the limit of running jobs holds. Any number that no other advisory lock of the database uses. */
const startLock = 7_301_965

/** One at a time only here: to freeze the target set may take seconds. */
async function takePlace(tx: Db, key: JobKey, options: StartOptions, now: Date): Promise<void> {
  await rows(tx, sql`select pg_advisory_xact_lock(${startLock})`)
  await findPlace(tx, key, options, now)
}

/** None is free when all belong to running jobs, or to due jobs that come before this one. */
async function findPlace(tx: Db, key: JobKey, { maxRunningJobs }: StartOptions, now: Date): Promise<void> {
  const [counted] = await prepared<{ ahead: number }>(
    tx,
    'countAhead',
    sql`select ${placesTaken(now)} + ${jobsAhead(key, now)} as ahead`,
  )
  if (counted === undefined || counted.ahead >= maxRunningJobs) throw new UndoneError('full')
}

interface DueRow extends Record<string, unknown> {
  readonly job_id: string
  readonly type: JobType
  readonly query_condition: string
  readonly is_listed: boolean
  readonly deadline_at: string
  /** Its window is over. */
  readonly is_over: boolean
  readonly priority: number
  readonly rate: number | null
  readonly max_in_flight: number | null
  readonly extensions: Extensions
  readonly traceparent: string | null
  /** Each device has values of its own. */
  readonly is_by_device: boolean
}

interface Frozen {
  readonly deviceCount: number
  /** At least one. */
  readonly stages: readonly NewStage[]
  /** The first stage that has devices. */
  readonly openStage: number
  /** A device that is made anew from now on gets a higher one, because it was drawn after the snapshot. */
  readonly lastGenerationNo: number
  /** Of the chunks. Null: the job has no windows. */
  readonly zones: readonly string[] | null
}

/** A row of `stages`. */
interface NewStage {
  readonly stage_no: number
  readonly device_count: number
  readonly opens_when: Gate | null
  readonly abort_when: StageAbort | null
}

/** Of a continuous job: who has the name of a target, and matches when its turn comes, is one. */
const anyGeneration = Number.MAX_SAFE_INTEGER

function atMost(count: number | undefined, devices: SQL): SQL {
  if (count === undefined) return devices
  return sql`select device_id, generation_no from (${devices}) as matching order by device_id limit ${count}`
}

/** In device id order within a stage, and within a zone if there are windows, so that a page of device jobs is read along the chunks. */
async function freeze(tx: Db, key: JobKey, due: DueRow, chunkSize: number, now: Date): Promise<Frozen> {
  const devices = atMost(
    due.extensions.maxDevices,
    due.is_listed
      ? listedDevices(sql`(select target_ids from jobs where job_key = ${key})`)
      : matchingDevices(parsed(due.query_condition)),
  )
  const division = divisionOf(key, due)
  const zoning = await zoningOf(tx, due.extensions)
  const slice = zoning === null ? sql`stage_no, slice_no` : sql`stage_no, slice_no, zone`
  const freezing = rows<FrozenStage>(
    tx,
    sql`
    with target as ${division === null ? sql`` : sql`materialized`} (${devices}),
    ${division === null ? slicedAsOne(chunkSize) : slicedByStage(division, chunkSize)},
    ${zoning === null ? sql`` : slicedByZone(zoning, chunkSize)}
    slices as materialized (
      select stage_no, ${zoning === null ? sql`null::text as zone` : sql`zone`},
             (row_number() over (order by ${slice}) - 1)::int as chunk_no,
             array_agg(device_id order by device_id) as device_ids, count(*)::int as device_count,
             coalesce(max(generation_no), 0) as last_generation_no
        from ${zoning === null ? sql`sliced` : sql`zoned`}
       group by ${slice}),
    frozen as (
      insert into chunks (week, job_key, chunk_no, device_ids, device_count, stage_no, zone)
      select ${weekOf(now)}::date, ${key}::bigint, chunk_no, device_ids, device_count, stage_no, zone from slices)
    select stage_no, sum(device_count)::int as device_count, max(last_generation_no) as last_generation_no,
           array_agg(distinct zone) as zones
      from slices
     group by stage_no
     order by stage_no`,
  )
  const isBlamed = !due.is_listed || division !== null
  const frozen = isBlamed ? await freezing.catch(blameCondition) : await freezing
  return {
    deviceCount: frozen.reduce((sum, { device_count }) => sum + device_count, 0),
    stages: stagesOf(due.extensions, new Map(frozen.map(({ stage_no, device_count }) => [stage_no, device_count]))),
    openStage: frozen[0]?.stage_no ?? 0,
    lastGenerationNo:
      due.extensions.targetSelection === 'continuous'
        ? anyGeneration
        : Math.max(0, ...frozen.map(({ last_generation_no }) => Number(last_generation_no))),
    zones: zoning === null ? null : [...new Set(frozen.flatMap(({ zones }) => zones))].sort(),
  }
}

interface FrozenStage extends Record<string, unknown> {
  readonly stage_no: number
  readonly device_count: number
  readonly last_generation_no: string
  readonly zones: readonly string[]
}

/** Null: the job has no stages of its own. */
function divisionOf(key: JobKey, { extensions: { rollout } }: DueRow): Division | null {
  if (rollout?.stages === undefined) return null
  const stages = rollout.stages.map((stage) =>
    stage.condition === undefined ? { stage } : { stage, where: parsed(stage.condition) },
  )
  return { stages, order: rollout.order ?? 'random', seed: key }
}

function stagesOf({ rollout }: Extensions, deviceCounts: ReadonlyMap<number, number>): readonly NewStage[] {
  const { stages = [{}] } = rollout ?? {}
  return stages.map((stage, no) => {
    const before = stages[no - 1]
    return {
      stage_no: no,
      device_count: deviceCounts.get(no) ?? 0,
      opens_when: before === undefined ? null : gateBehind(before),
      abort_when: stage.abort ?? null,
    }
  })
}

/** Parse errors, and errors of Postgres about data (22), about its limits (54), and its statement timeout. */
function blameCondition(error: unknown): never {
  if (error instanceof QueryError) throw new ConditionError(error.message, { cause: error })
  const { code, message } = databaseError(error)
  if (isStatementTimeout(error)) throw new ConditionError('the condition took too long to evaluate', { cause: error })
  if (/^(22|54)/.test(code)) throw new ConditionError(message, { cause: error })
  throw error
}

function parsed(condition: string): Expression | null {
  try {
    return parseCondition(condition)
  } catch (error) {
    return blameCondition(error)
  }
}
