import { expect } from 'vitest'
import { hubItself } from '../../../src/jobs/job-events.ts'
import { advanceStages } from '../../../src/jobs/stages/advance-stages.ts'
import { openNextStage } from '../../../src/jobs/stages/open-stage.ts'
import { endJob } from './jobs.ts'
import {
  hasEnded,
  type Model,
  type ModelJob,
  type ModelStage,
  mayAttempt,
  pauseAt,
  resumeAt,
  type Stage,
} from './model.ts'
import { type Choice, ofJob, type Step, timeOf } from './step.ts'

/** R16 to R25: what a look at the gates and conditions of a job comes to. */
export function lookAtGate(choice: Choice): Step {
  const isApt = (job: ModelJob, model: Model) => decisionOf(job, model) !== null
  return ofJob({ text: 'lookAtGate', choice, isApt }, async (db, { key }, before) => {
    const advance = await advanceStages(db, key, timeOf(before))
    return (job, model) => {
      const decision = decisionOf(job, model)
      const told = { open: 'opened', hold: 'paused', pause: 'paused', cancel: 'cancelled', met: null, unmet: null }
      expect(advance?.kind ?? null).toBe(decision === null ? null : told[decision])
      if (decision !== null) carryOut(job, decision, model.now)
    }
  })
}

/** R20 */
export function askForNext(choice: Choice): Step {
  const isApt = (job: ModelJob, model: Model) => mayAttempt(model, job) && nextOf(job) !== undefined
  return ofJob({ text: 'askForNext', choice, isApt }, async (db, { jobId }, before) => {
    const { now } = before
    const { kind } = await openNextStage(db, jobId, hubItself, timeOf(before))
    return (job, model, isAlone) => {
      // Somebody else has opened one at the moment.
      if (kind === 'refused' && !isAlone) return
      expect(kind).toBe(isApt(job, model) ? 'opened' : 'refused')
      if (kind !== 'opened') return
      const isHeld = job.isPaused && stageOf(job)?.heldAt === job.pausedAt
      job.openStage = nextOf(job) ?? job.openStage
      if (isHeld) resumeAt(job, now)
    }
  })
}

type Decision = 'open' | 'hold' | 'pause' | 'cancel' | 'met' | 'unmet'

function decisionOf(job: ModelJob, model: Model): Decision | null {
  if (job.stages === null || job.isPaused || !mayAttempt(model, job)) return null
  const stopping = stoppingOf(job)
  if (stopping.length > 0) return stopping.some(({ action }) => action === 'cancel') ? 'cancel' : 'pause'
  const open = stageOf(job)
  if (open === undefined || nextOf(job) === undefined) return null
  const ofStage = endsOf(job, job.openStage)
  const isMet = (least: number) => countOf(ofStage, 'completed') * 100 >= least * ofStage.length
  const hasAllEnded = (from: number) =>
    [...Array(job.openStage + 1).keys()].slice(from).every((no) => endsOf(job, no).every(hasEnded))
  if (!(open.successThreshold === null ? hasAllEnded(0) : isMet(open.successThreshold))) {
    if (open.successThreshold !== null && hasAllEnded(job.openStage)) return 'hold'
    return open.metAt === null ? null : 'unmet'
  }
  const isSoaked = (open.metAt ?? model.now) + open.soakSeconds * 1000 <= model.now
  if (isSoaked && !open.isManual) return 'open'
  return open.metAt === null ? 'met' : null
}

function carryOut(job: ModelJob, decision: Decision, now: number): void {
  const open = stageOf(job)
  if (decision === 'pause' || decision === 'cancel') for (const stage of stoppingOf(job)) stage.hasStopped = true
  if (decision === 'cancel') endJob(job, 'cancelled')
  if (decision === 'pause' || decision === 'hold') pauseAt(job, now)
  if (decision === 'open') job.openStage = nextOf(job) ?? job.openStage
  if (open === undefined) return
  if (decision === 'hold') open.heldAt = now
  if (decision === 'met') open.metAt = now
  if (decision === 'unmet') open.metAt = null
}

/** Stages that stop their job now, and never did. */
function stoppingOf(job: ModelJob): ModelStage[] {
  return (job.stages ?? []).slice(0, job.openStage + 1).filter((stage, no) => {
    const failed = countOf(endsOf(job, no), 'failed')
    return !stage.hasStopped && stage.failureCount !== null && failed >= stage.failureCount
  })
}

function stageOf({ stages, openStage }: ModelJob): ModelStage | undefined {
  return stages?.[openStage]
}

/** The number of the next stage that has devices. */
function nextOf({ chunks, openStage, stages }: ModelJob): number | undefined {
  return stages === null ? undefined : chunks?.find(({ stageNo }) => stageNo > openStage)?.stageNo
}

function endsOf({ chunks }: ModelJob, stageNo: number): Stage[] {
  return (chunks ?? []).filter((chunk) => chunk.stageNo === stageNo).flatMap(({ stages }) => [...stages.values()])
}

function countOf(stages: readonly Stage[], status: 'completed' | 'failed'): number {
  return stages.filter((stage) => stage.kind === 'ended' && stage.status === status).length
}
