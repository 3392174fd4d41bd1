import {
  type Changed,
  changeExtensions,
  type Extensions,
  HubError,
  type JobChange,
  type JobKey,
} from '@muster/contract'
import { sql } from 'drizzle-orm'
import { at, type Db, json, rows } from '../../postgres/sql.ts'
import { type Asker, addJobEvent } from '../job-events.ts'
import { rampedRate, rateColumns, succeededDevices } from './ramp.ts'

/**
 * Changes what a job that has not ended asks for. The next claim goes by it. False: it has ended, or was so already.
 * @throws HubError of status 400 when what remains does not fit together, or the window would end at once; OperationNotAllowedInCurrentState for the window of a job
 * whose window is over
 */
export async function changeJob(tx: Db, key: JobKey, change: JobChange, asker: Asker, now: Date): Promise<boolean> {
  const job = await lockJob(tx, key, now)
  if (job === null) return false
  const { extensions, changes } = changeExtensions(job.extensions, change)
  const seconds = change.maxExecutionTimeInSeconds ?? job.max_execution_seconds
  const isOther = seconds !== job.max_execution_seconds
  if (isOther && job.is_over) throw windowOver()
  if (isOther && seconds < job.least_seconds) throw tooShort(seconds, job.least_seconds)
  const all = { ...changes, ...(isOther ? { maxExecutionTimeInSeconds: seconds } : {}) }
  if (Object.keys(all).length === 0) return false

  await writeChange(tx, key, { extensions, changes: all }, seconds)
  if ('rollout.maximumPerMinute' in all || 'rollout.exponentialRate' in all) {
    await writeRate(tx, key, extensions, 'rollout.exponentialRate' in all)
  }
  const fields = sql`jsonb_build_object('changes', ${json(all)})`
  await addJobEvent(tx, { kind: 'changed', now, asker, fields }, sql`(select ${key}::bigint as job_key) as changed`)
  return true
}

interface ChangingRow extends Record<string, unknown> {
  readonly extensions: Extensions
  readonly max_execution_seconds: number
  readonly is_over: boolean
  /** The shortest window, in whole seconds, that ends after now. */
  readonly least_seconds: number
}

/** Behind one claim at most, and a claim that finds it locked comes again some ms later. */
async function lockJob(tx: Db, key: JobKey, now: Date): Promise<ChangingRow | null> {
  const [job] = await rows<ChangingRow>(
    tx,
    sql`
    select extensions, max_execution_seconds,
           coalesce(window_left, deadline_at - ${at(now)}) <= interval '0' as is_over,
           (max_execution_seconds + 1
             - ceil(extract(epoch from coalesce(window_left, deadline_at - ${at(now)}))))::int as least_seconds
      from jobs
     where job_key = ${key} and status in ('queued', 'scheduled', 'running')
       for no key update`,
  )
  return job ?? null
}

/** The end of the window moves by the difference, so that a pause that the job has had stays beside it. */
async function writeChange(tx: Db, key: JobKey, { extensions }: Changed, seconds: number): Promise<void> {
  const { rollout, priority = 500 } = extensions
  const longer = sql`(${seconds}::int - max_execution_seconds) * interval '1 second'`
  await rows(
    tx,
    sql`
    update jobs
       set extensions = ${JSON.stringify(extensions)}::json,
           max_in_flight = ${rollout?.maximumInFlight ?? null},
           priority = ${priority},
           max_execution_seconds = ${seconds},
           window_left = window_left + ${longer},
           deadline_at = case when window_left is null then deadline_at + ${longer} else deadline_at end
     where job_key = ${key} and status in ('queued', 'scheduled', 'running')
    returning job_key`,
  )
}

/** A ramp of its own begins to count now. The old rate holds up nothing. */
async function writeRate(tx: Db, key: JobKey, { rollout = {} }: Extensions, isNewRamp: boolean): Promise<void> {
  const { rate, base, factor, every, on, most } = rateColumns(rollout)
  const count = sql`case when ramp_on = 'succeeded' then ${succeededDevices} else notified end`
  await rows(
    tx,
    sql`
    update jobs
       set rate = ${rate}, rate_free_at = null, ramp_base = ${base}, ramp_factor = ${factor}, ramp_every = ${every},
           ramp_on = ${on}, ramp_max = ${most}
     where job_key = ${key} and status in ('queued', 'scheduled', 'running')
    returning job_key`,
  )
  if (base === null) return
  await rows(
    tx,
    sql`
    update jobs
       set ${isNewRamp ? sql`ramp_from = ${count}` : sql`rate = ${rampedRate(count)}`}
     where job_key = ${key} and status in ('queued', 'scheduled', 'running') and ramp_on is not null
    returning job_key`,
  )
}

function windowOver(): HubError {
  return new HubError('OperationNotAllowedInCurrentState', {
    message: 'maxExecutionTimeInSeconds cannot change any more: the window of the job is over',
  })
}

function tooShort(seconds: number, least: number): HubError {
  return new HubError('ArgumentInvalid', {
    message: `maxExecutionTimeInSeconds must be at least ${least}, got ${seconds}: with less the window of the job would be over`,
  })
}
