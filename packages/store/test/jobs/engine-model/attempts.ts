import { jsonText } from '@muster/contract'
import { expect } from 'vitest'
import { markDueWhereReachable } from '../../../src/jobs/device-jobs.ts'
import {
  type DeviceOutcome,
  type Recorded,
  recordFirstAttempts,
  recordLaterAttempts,
} from '../../../src/jobs/record-attempts.ts'
import type { Db } from '../../../src/postgres/sql.ts'
import { claimDueUnder, claimUnder, execute } from '../engine.ts'
import {
  chunkOf,
  hasEnded,
  idsIn,
  isAlive,
  isFree,
  isGone,
  type Model,
  type ModelChunk,
  type ModelClaim,
  type ModelJob,
  mayAttempt,
  move,
  readyChunks,
  type Stage,
  workerOf,
} from './model.ts'
import { type Choice, type Follow, jobOf, ofJob, reach, type Step, timeOf, waitingOf } from './step.ts'

/** J6, J7: the model gives nothing once the job is cancelled or its window is over. */
export function takeChunk(choice: Choice, fails: readonly boolean[], by: Claimer): Step {
  const isApt = (job: ModelJob, model: Model) => readyChunks(model, job).length > 0
  return ofJob({ text: 'takeChunk', choice, isApt }, (db, job, model) =>
    job.type === 'scheduleUpdateTwin' ? finishChunk(db, job, model, fails) : claimReady(db, job, model, by),
  )
}

/** Who claims, and whether the answer comes: without it the claim belongs to a worker that does not know it. */
export interface Claimer {
  readonly workerNo: number
  readonly isUnanswered?: boolean
}

async function claimReady(
  db: Db,
  { key }: ModelJob,
  model: Model,
  { workerNo, isUnanswered = false }: Claimer,
): Promise<Follow> {
  const { workerId } = workerOf(model, workerNo)
  const given = await claimUnder(db, key, workerId, timeOf(model))
  return (job, model, isAlone) => {
    const ready = isAlive(model, workerId) ? readyChunks(model, job) : []
    const taken = followTaken(ready, isAlone, given)
    if (taken === null) return
    const { chunk, deviceIds } = taken
    for (const deviceId of deviceIds) move(job, chunk, deviceId, { kind: 'claimed' })
    chunk.fence += 1
    chunk.holder = workerId
    if (given !== null && !isUnanswered) model.claims.push({ kind: 'chunk', workerNo, given })
  }
}

/** The first ready chunk is taken. At once with another step it may be a later one, or none: see `nextReady`. */
function followTaken(
  ready: ReturnType<typeof readyChunks>,
  isAlone: boolean,
  taken: { readonly chunkNo: number; readonly deviceIds: readonly string[] } | null,
): { chunk: ModelChunk; deviceIds: string[] } | null {
  if (taken === null) {
    if (isAlone) expect(ready).toEqual([])
    return null
  }
  const found = isAlone ? ready[0] : ready.find(({ chunkNo }) => chunkNo === taken.chunkNo)
  const deviceIds = found === undefined ? [] : idsIn(found.chunk, 'untried')
  expect(taken).toMatchObject({ chunkNo: found?.chunkNo, deviceIds })
  return found === undefined ? null : { chunk: found.chunk, deviceIds }
}

async function finishChunk(db: Db, before: ModelJob, model: Model, fails: readonly boolean[]): Promise<Follow> {
  const { key } = before
  const gone = new Set(before.requested.filter((deviceId) => isGone(model, before, deviceId)))
  const hasFailed = (deviceId: string, index: number) => gone.has(deviceId) || fails[index] === true
  const failuresOf = (deviceIds: readonly string[]) =>
    deviceIds.filter(hasFailed).map((deviceId) => ({ deviceId, error: notFound }))
  const finished = await execute(db, key, failuresOf, timeOf(model))
  return (job, model, isAlone) => {
    const taken = followTaken(readyChunks(model, job), isAlone, finished)
    taken?.deviceIds.forEach((deviceId, index) => {
      move(job, taken.chunk, deviceId, hasFailed(deviceId, index) ? failure(notFound.code) : success)
    })
  }
}

export function claimDue(choice: Choice, limit: number, by: Claimer): Step {
  const { workerNo, isUnanswered = false } = by
  const isApt = (job: ModelJob, model: Model) => dueOf(job, model).length > 0
  return ofJob({ text: `claimDue of ${limit}`, choice, isApt }, async (db, { key }, model) => {
    const { workerId } = workerOf(model, workerNo)
    const given = await claimDueUnder(db, key, { workerId, limit }, timeOf(model))
    return (job, model, isAlone) => {
      const due = isAlive(model, workerId) ? dueOf(job, model) : []
      const count = given?.attempts.length ?? 0
      // What another claim has locked at the moment is passed over.
      if (isAlone) expect(count).toBe(Math.min(limit, due.length))
      else expect(count).toBeLessThanOrEqual(limit)
      for (const { deviceId, attempt, notNows } of given?.attempts ?? []) {
        const found = due.find((waiting) => waiting.deviceId === deviceId)
        expect(found?.stage.attempt, `the attempt on ${deviceId}`).toBe(attempt - 1)
        if (found === undefined) continue
        expect(notNows).toBe(found.chunk.putOff.get(deviceId) ?? 0)
        move(job, found.chunk, deviceId, { kind: 'retried', attempt, workerId })
      }
      if (given !== null && !isUnanswered) model.claims.push({ kind: 'due', workerNo, given })
    }
  })
}

function dueOf(job: ModelJob, model: Model) {
  if (!mayAttempt(model, job)) return []
  return waitingOf(job).filter(({ chunk, stage }) => stage.dueAt <= model.now && isFree(job, chunk))
}

export const outcomeKinds = ['completed', 'failed', 'due now', 'due later', 'put off', 'waiting', 'none'] as const
export type OutcomeKind = (typeof outcomeKinds)[number]

/** J4: records outcomes of a claim, counted from the latest; of a claim that was lost nothing may be written. */
export function record(choice: Choice, kinds: readonly OutcomeKind[]): Step {
  return ofClaim(`record ${kinds}`, choice, async (db, claim, before) => {
    const told = [{ claim, outcomes: outcomesOf(claim, kinds, before) }]
    const recorded = await write(db, told, before)
    return (model) => expect(recorded).toMatchObject(follow(model, told))
  })
}

/** J5: outcomes of several claims in one statement. */
export function recordTogether(choice: Choice, kinds: readonly OutcomeKind[]): Step {
  return ofClaim(`recordTogether ${kinds}`, choice, async (db, { kind }, before) => {
    const alike = before.claims.filter((claim) => claim.kind === kind).slice(-3)
    const told = alike.map((claim) => ({ claim, outcomes: outcomesOf(claim, kinds, before) }))
    const recorded = await write(db, told, before)
    return (model) => expect(recorded).toMatchObject(follow(model, told))
  })
}

interface Told {
  readonly claim: ModelClaim
  readonly outcomes: readonly DeviceOutcome[]
}

/** All are of one kind. */
async function write(db: Db, told: readonly Told[], model: Model): Promise<Recorded[]> {
  const first = told.flatMap(({ claim, outcomes }) =>
    claim.kind === 'chunk' ? [{ claim: claim.given, outcomes }] : [],
  )
  if (first.length > 0) return recordFirstAttempts(db, first, timeOf(model))
  const later = told.flatMap(({ claim, outcomes }) => (claim.kind === 'due' ? [{ claim: claim.given, outcomes }] : []))
  return recordLaterAttempts(db, later, timeOf(model))
}

/** What a worker does once it has recorded that devices of a claim were not reachable. */
export function lookAgain(choice: Choice): Step {
  return ofClaim('lookAgain', choice, async (db, claim, before) => {
    const deviceIds = deviceIdsOf(claim)
    const due = await markDueWhereReachable(db, claim.given.job, deviceIds, timeOf(before))
    return (model) => {
      const job = jobOf(model, claim.given.job.key)
      const reached = reach(
        job,
        model.now,
        (id) => deviceIds.includes(id) && (model.reachable.has(id) || isGone(model, job, id)),
      )
      // Where the rest has ended, rows that wait no more may be counted: a wake-up more is harmless.
      expect(due).toBeGreaterThanOrEqual(reached)
    }
  })
}

function ofClaim(
  text: string,
  choice: Choice,
  act: (db: Db, claim: ModelClaim, model: Model) => ReturnType<Step['act']>,
): Step {
  const chosen = (model: Model) => choice.from(model.claims.toReversed(), (claim) => holdsAny(model, claim))
  return {
    text: `${text}(claim ${choice.text})`,
    isPossible: (model) => chosen(model) !== undefined,
    act(db, before) {
      const claim = chosen(before)
      if (claim === undefined) throw new Error('there is no claim')
      return act(db, claim, before)
    },
  }
}

function holdsAny(model: Model, claim: ModelClaim): boolean {
  const job = jobOf(model, claim.given.job.key)
  return deviceIdsOf(claim).some((deviceId) => heldAttempt(job, claim, deviceId) !== null)
}

export function deviceIdsOf({ kind, given }: ModelClaim): readonly string[] {
  return kind === 'chunk' ? given.deviceIds : given.attempts.map(({ deviceId }) => deviceId)
}

function outcomesOf(claim: ModelClaim, kinds: readonly OutcomeKind[], model: Model): DeviceOutcome[] {
  const { now } = model
  const job = jobOf(model, claim.given.job.key)
  return deviceIdsOf(claim).flatMap((deviceId, index): DeviceOutcome[] => {
    const kind = kinds[index % kinds.length]
    if (kind === undefined || kind === 'none') return []
    if (isGone(model, job, deviceId)) return [{ deviceId, status: 'failed', error: notFound }]
    switch (kind) {
      case 'completed':
        return [{ deviceId, status: kind, response: jsonText({ status: 200, payload: null }) }]
      case 'failed':
        return [{ deviceId, status: kind, error: { code: 'GatewayTimeout', description: 'no answer' } }]
      case 'waiting':
        return [{ deviceId, status: 'pending', dueAt: null }]
      case 'put off':
        return [{ deviceId, status: 'pending', dueAt: new Date(now + 1000), isNotNow: true, kept }]
      default:
        return [{ deviceId, status: 'pending', dueAt: new Date(kind === 'due now' ? now : now + 5000) }]
    }
  })
}

function follow(model: Model, told: readonly Told[]): Omit<Recorded, 'cancelledAt'>[] {
  const touched = told.map(({ claim, outcomes }) => {
    const job = jobOf(model, claim.given.job.key)
    return outcomes.flatMap((outcome) => {
      const attempt = heldAttempt(job, claim, outcome.deviceId)
      if (attempt === null) return []
      const chunk = chunkOf(job, outcome.deviceId)
      chunk.asked.delete(outcome.deviceId)
      if (outcome.isNotNow) chunk.putOff.set(outcome.deviceId, (chunk.putOff.get(outcome.deviceId) ?? 0) + 1)
      move(job, chunk, outcome.deviceId, stageAfter(outcome, attempt))
      return [chunk]
    })
  })
  const isClosed = ({ stages }: ModelChunk) => [...stages.values()].every(hasEnded)
  return touched.map((chunks) => ({ count: chunks.length, isChunkClosed: chunks.some(isClosed) }))
}

/** The number of the attempt, if the claim still holds it. */
export function heldAttempt(job: ModelJob, { kind, given }: ModelClaim, deviceId: string): number | null {
  const { stages, fence } = chunkOf(job, deviceId)
  const stage = stages.get(deviceId)
  if (kind === 'chunk') return stage?.kind === 'claimed' && fence === given.fence ? 1 : null
  const claimed = given.attempts.find((one) => one.deviceId === deviceId)
  return stage?.kind === 'retried' && stage.attempt === claimed?.attempt ? stage.attempt : null
}

function stageAfter(outcome: DeviceOutcome, attempt: number): Stage {
  switch (outcome.status) {
    case 'completed':
      return success
    case 'failed':
      return failure(outcome.error.code)
    case 'skipped':
      return { kind: 'ended', status: 'skipped', errorCode: null }
    case 'pending':
      return { kind: 'waiting', attempt, dueAt: outcome.dueAt?.getTime() ?? Number.POSITIVE_INFINITY }
  }
}

const success: Stage = { kind: 'ended', status: 'completed', errorCode: null }

function failure(errorCode: string): Stage {
  return { kind: 'ended', status: 'failed', errorCode }
}

const kept = { time: '2026-03-02T12:00:00Z', status: 503, text: '{}' } as const

const notFound = { code: 'DeviceNotFound', description: 'it is not registered' } as const
