import type { JobStatus } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { at, type Db, instantOrNull, rows } from '../../postgres/sql.ts'
import { inOpenZone } from '../rollout/windows.ts'
import { type AskedJob, readAskedJob } from './asked-job.ts'
import { holdOfJob, holdsOfRunning } from './job-holds.ts'
import { type Reason, reason } from './reason.ts'

/** Why a job is as it is. */
export interface WhyJob {
  readonly status: JobStatus
  /** What holds it, or some of its devices, now. Of one that has ended: why. */
  readonly reasons: readonly Reason[]
}

/** Why a job has not ended yet, or how it has ended, from what decides it. Null: there is no such job. */
export async function whyJob(
  db: Db,
  jobId: string,
  options: { readonly maxRunningJobs: number },
  now: Date,
): Promise<WhyJob | null> {
  const job = await readAskedJob(db, jobId)
  if (job === null) return null
  const { status, week } = job
  const hold = await holdOfJob(db, job, options, now)
  if (hold !== null) return { status, reasons: [hold] }
  const work = await countWork(db, { ...job, week: week ?? '' }, now)
  return { status, reasons: [...(await holdsOfRunning(db, job, now)), ...reasonsOf(job, work)] }
}

interface Work extends Record<string, unknown> {
  readonly held: number
  readonly ready: number
  readonly put_off: number
  readonly put_off_until: string | null
  readonly running: number
  readonly waiting: number
  readonly later: number
  readonly later_at: string | null
}

/** The devices of open stages and windows, by what becomes of them next. */
async function countWork(db: Db, job: AskedJob & { readonly week: string }, now: Date): Promise<Work | undefined> {
  const { key, week, openStage } = job
  const untried = sql`(device_count - attempted) filter (where status in ('held', 'ready') and rest is null`
  const isOpen = sql`stage_no <= ${openStage} and ${inOpenZone(job, sql`zone`, now)}`
  const [work] = await rows<Work>(
    db,
    sql`
    select coalesce(sum${untried} and status = 'held'), 0)::int as held,
           coalesce(sum${untried} and status = 'ready' and ${isOpen} and (claims = 0 or not_before is null or not_before <= ${at(now)})), 0)::int as ready,
           coalesce(sum${untried} and status = 'ready' and ${isOpen} and claims > 0 and not_before > ${at(now)}), 0)::int as put_off,
           (min(not_before) filter (where status = 'ready' and claims > 0 and not_before > ${at(now)}))::text as put_off_until,
           coalesce(sum(running), 0)::int as running, waits.*
      from chunks, lateral (
           select (count(*) filter (where due_at = 'infinity'))::int as waiting,
                  (count(*) filter (where due_at < 'infinity'))::int as later,
                  (min(due_at) filter (where due_at < 'infinity'))::text as later_at
             from device_jobs r
            where r.week = ${week} and r.job_key = ${key} and r.status = 'pending') as waits
     where chunks.week = ${week} and chunks.job_key = ${key}
     group by waits.waiting, waits.later, waits.later_at`,
  )
  return work
}

function reasonsOf({ maxInFlight, isContinuous, deadlineAt }: AskedJob, work: Work | undefined): readonly Reason[] {
  const {
    held = 0,
    ready = 0,
    put_off = 0,
    put_off_until = null,
    running = 0,
    waiting = 0,
    later = 0,
    later_at = null,
  } = work ?? {}
  const isFull = maxInFlight !== null && running >= maxInFlight && ready > 0
  const found = [
    reason('held', 'Chunks are held until somebody releases them.', { deviceCount: held }),
    reason('chunkFailed', 'The hub failed on chunks of them, and tries again.', {
      deviceCount: put_off,
      until: instantOrNull(put_off_until),
    }),
    reason('connection', 'The devices are not connected, or do not take direct methods.', {
      deviceCount: waiting,
      until: deadlineAt,
    }),
    reason('retry', 'A next attempt comes after a wait.', { deviceCount: later, until: instantOrNull(later_at) }),
    reason('running', 'Attempts are under way.', { deviceCount: running }),
    isFull
      ? reason('inFlight', `${running} devices are in flight, of at most ${maxInFlight}.`, { deviceCount: ready })
      : reason('ready', 'Workers take them in their turn.', { deviceCount: ready }),
  ].filter(({ deviceCount }) => deviceCount !== 0)
  if (!isContinuous) return found
  return [
    ...found,
    reason('joins', 'The job takes in devices until its window ends, or it is full.', { until: deadlineAt }),
  ]
}
