import type { Job, JobKey, JobType } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { briefly } from '../../postgres/briefly.ts'
import { at, type Db, rows } from '../../postgres/sql.ts'
import { hubItself } from '../job-events.ts'
import { cancelJobBecause, readJobByKey } from '../jobs.ts'
import { pauseJob } from '../rollout/pause.ts'
import { countFailures } from './failures-by-code.ts'
import { findStop, type Stop } from './find-stop.ts'
import { type GateState, stateOfGate } from './gate.ts'
import { openStage } from './open-stage.ts'
import { gatedStage, nextStage, readStagedJob, type StagedJob } from './stage-rows.ts'

/** What came of a look at a job. */
export type Advance =
  | { readonly kind: 'opened'; readonly type: JobType; readonly priority: number }
  | { readonly kind: 'paused' }
  | { readonly kind: 'cancelled'; readonly job: Job }

/**
 * Looks whether a running job has to stop, or its next stage may open, and does it. Null: neither, or somebody else does it just now. Any
 * number of processes may look at once: each decision is taken again under the lock of the row of the job, so that one of them acts on it.
 */
export async function advanceStages(db: Db, key: JobKey, now: Date): Promise<Advance | null> {
  const seen = await readAdvancing(db, key, now)
  // Nearly always there is nothing to do, and then nobody is locked out.
  if (seen === null || (await decide(db, seen, now)) === null) return null
  return briefly(db, async (tx) => {
    if (!(await isLocked(tx, key))) return null
    const job = await readAdvancing(tx, key, now)
    const decision = job === null ? null : await decide(tx, job, now)
    return job === null || decision === null ? null : carryOut(tx, job, decision, now)
  })
}

/** Null: the job does not run, is paused, or its window is over. */
async function readAdvancing(db: Db, key: JobKey, now: Date): Promise<StagedJob | null> {
  return readStagedJob(
    db,
    sql`job_key = ${key} and is_watched and status = 'running' and paused_at is null and deadline_at > ${at(now)}`,
    sql`c.stage_no <= job.open_stage`,
  )
}

async function isLocked(tx: Db, key: JobKey): Promise<boolean> {
  const locked = await rows(
    tx,
    sql`
    select job_key from jobs
     where job_key = ${key} and status = 'running' and paused_at is null
       for no key update skip locked`,
  )
  return locked.length > 0
}

type Decision =
  | { readonly kind: 'stop'; readonly stop: Stop }
  | { readonly kind: 'hold'; readonly reason: string }
  /** The soak begins. */
  | { readonly kind: 'met' }
  /** A device of the stage is open again: the soak will begin anew. */
  | { readonly kind: 'unmet' }
  | { readonly kind: 'open'; readonly reason: string }

/** To stop comes first: a stage that fails on too many devices opens no other one. */
async function decide(db: Db, job: StagedJob, now: Date): Promise<Decision | null> {
  const stop = await findStop(job, () => countFailures(db, job))
  if (stop !== null) return { kind: 'stop', stop }
  const stage = gatedStage(job)
  return stage === null ? null : decisionOf(stateOfGate(stage, now), stage.metAt)
}

function decisionOf({ kind, text }: GateState, metAt: Date | null): Decision | null {
  switch (kind) {
    case 'devices':
      return metAt === null ? null : { kind: 'unmet' }
    case 'failed':
      return { kind: 'hold', reason: text }
    case 'soak':
    case 'approval':
      return metAt === null ? { kind: 'met' } : null
    case 'free':
      return { kind: 'open', reason: text }
  }
}

async function carryOut(tx: Db, job: StagedJob, decision: Decision, now: Date): Promise<Advance | null> {
  switch (decision.kind) {
    case 'stop':
      return stopJob(tx, job, decision.stop, now)
    case 'hold': {
      await setOpenStage(tx, job, sql`held_at = ${at(now)}`)
      const isPaused = await pauseJob(tx, job.key, { asker: hubItself, reason: decision.reason }, now)
      return isPaused ? { kind: 'paused' } : null
    }
    case 'met':
      await setOpenStage(tx, job, sql`met_at = ${at(now)}`)
      return null
    case 'unmet':
      await setOpenStage(tx, job, sql`met_at = null`)
      return null
    case 'open': {
      const next = nextStage(job)
      if (next === null) return null
      const opening = { from: job.openStage, next, asker: hubItself, reason: decision.reason }
      return (await openStage(tx, job, opening, now))
        ? { kind: 'opened', type: job.type, priority: job.priority }
        : null
    }
  }
}

/** Its rules are marked first, so that none stops the job again when it goes on. */
async function stopJob(tx: Db, { key }: StagedJob, stop: Stop, now: Date): Promise<Advance | null> {
  const { action, reason, criteria, stages } = stop
  await rows(
    tx,
    sql`
    with marked as (
      update stages set aborted_at = ${at(now)}
       where job_key = ${key} and stage_no = any(${sql.param(stages)}::int[]) and aborted_at is null)
    update jobs set fired_criteria = fired_criteria || ${sql.param(criteria)}::int[]
     where job_key = ${key} and status = 'running'
    returning job_key`,
  )
  if (action === 'pause') {
    return (await pauseJob(tx, key, { asker: hubItself, reason }, now)) ? { kind: 'paused' } : null
  }
  if (!(await cancelJobBecause(tx, key, reason, now))) return null
  const job = await readJobByKey(tx, key)
  return job === null ? null : { kind: 'cancelled', job }
}

async function setOpenStage(tx: Db, { key, openStage }: StagedJob, columns: ReturnType<typeof sql>): Promise<void> {
  await rows(
    tx,
    sql`update stages set ${columns} where job_key = ${key} and stage_no = ${openStage} and closed_at is null returning stage_no`,
  )
}
