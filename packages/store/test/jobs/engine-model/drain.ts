import type { JobKey } from '@muster/contract'
import { expect } from 'vitest'
import { findDrainedJobs } from '../../../src/jobs/sweeps/find-drained-jobs.ts'
import { findDueJobs } from '../../../src/jobs/sweeps/find-due-jobs.ts'
import { findForgottenWork } from '../../../src/jobs/sweeps/find-forgotten-work.ts'
import type { Db } from '../../../src/postgres/sql.ts'
import { claimDue, type OutcomeKind, record, takeChunk } from './attempts.ts'
import { errorMsMax } from './clocks.ts'
import { cancel, complete, startDue } from './jobs.ts'
import { type Model, type ModelJob, mayAttempt, newcomer } from './model.ts'
import { openNextStage, release, resume } from './rollout.ts'
import { askForNext } from './stages.ts'
import { any, apt, type Choice, jobOf, knownIds, leaseMs, type Step } from './step.ts'
import { advance, connect, expire, findReachable, keep, releaseChunks, releaseDeviceJobs } from './sweeps.ts'
import { takeAnother } from './workers.ts'

const all = 100
const anHour = 3600
const aDay = 24 * anHour
const by = { workerNo: newcomer }

export const endings = ['work', 'expire', 'cancel'] as const

/**
 * Brings every job to its end with what the sweeps find, as when no message ever arrives: by work, the devices connected; or
 * by the end of the windows, or by cancelling, and then what is in flight is recorded.
 */
export async function drain(
  db: Db,
  model: Model,
  { ending, lastOutcomes }: { ending: (typeof endings)[number]; lastOutcomes: readonly OutcomeKind[] },
  take: (step: Step) => Promise<void>,
): Promise<void> {
  if (ending === 'work') {
    await take(connect(knownIds))
    for (const step of model.jobs.flatMap((job, jobNo) => freeing(job, any(jobNo)))) await take(step)
    await take(advance((leaseMs + errorMsMax) / 1000))
    await settle(db, model, take)
    expect(model.jobs.filter((job) => mayAttempt(model, job))).toEqual([])
  } else {
    const resumed =
      ending === 'expire' ? model.jobs.flatMap(({ isPaused }, no) => (isPaused ? [resume(any(no))] : [])) : []
    for (const step of resumed) await take(step)
    if (ending === 'expire') await take(advance(anHour))
    const ends = ending === 'expire' ? [expire] : model.jobs.map((_, jobNo) => cancel(any(jobNo)))
    const inFlight = [0, 1, 2, 3].map((claimNo) => record(apt(claimNo), lastOutcomes))
    for (const step of [...ends, ...inFlight]) if (step.isPossible(model)) await take(step)
  }
  // A paused job has no end of its window.
  for (const [jobNo, { isPaused }] of model.jobs.entries()) if (isPaused) await take(resume(any(jobNo)))
  await take(advance(aDay))
  await settle(db, model, take)
  await take(keep)
}

/** J40, J41: lets the job go on in every chunk. */
function freeing({ isPaused, chunks, stages }: ModelJob, choice: Choice): Step[] {
  return [
    ...(isPaused ? [resume(choice)] : []),
    ...(stages === null && chunks?.some(({ stageNo }) => stageNo > 0) ? [openNextStage(choice)] : []),
    ...(chunks ?? []).flatMap(({ isHeld }, chunkNo) => (isHeld ? [release(choice, chunkNo)] : [])),
  ]
}

/** Until the sweeps find nothing more. Every chunk holds one device at least, so it cannot take longer. */
async function settle(db: Db, model: Model, take: (step: Step) => Promise<void>): Promise<void> {
  for (const step of [takeAnother(newcomer), releaseChunks, releaseDeviceJobs, findReachable, expire]) await take(step)
  for (let round = 0; round < 50; round += 1) {
    const due = await findDueJobs(db, { limit: all }, new Date(model.now))
    for (const key of due) {
      await take(startDue(any(numberOf(model, key))))
      // The next one waits behind it.
      if (jobOf(model, key).status === 'queued') break
    }
    if (due.length > 0) await take(expire)
    const steps = await findSteps(db, model)
    for (const step of steps) if (step.isPossible(model)) await take(step)
    if (due.length + steps.length === 0) return
  }
  throw new Error('the sweeps find work again and again')
}

/** Chunks and device jobs to attempt, jobs to complete. */
async function findSteps(db: Db, model: Model): Promise<Step[]> {
  const now = new Date(model.now)
  const forgotten = await findForgottenWork(db, { limit: all }, now)
  const { drained } = await findDrainedJobs(db, { limit: all, after: null }, now)
  const job = (key: JobKey) => any(numberOf(model, key))
  return [
    ...forgotten.flatMap(({ key, kind }) => [
      kind === 'chunks' ? takeChunk(job(key), [], by) : claimDue(job(key), all, by),
      record(any(0), ['completed']),
    ]),
    ...drained.map((key) => complete(job(key))),
    ...model.jobs.filter((one) => mayAttempt(model, one) && hasNext(one)).map(({ key }) => askForNext(job(key))),
  ]
}

/** A stage of its own is left to open. */
function hasNext({ stages, chunks, openStage }: ModelJob): boolean {
  return stages !== null && (chunks ?? []).some(({ stageNo }) => stageNo > openStage)
}

function numberOf(model: Model, key: JobKey): number {
  return model.jobs.indexOf(jobOf(model, key))
}
