import type { JobType } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { expect } from 'vitest'
import { finishLockedChunk, lockChunk, lockRunningJob } from '../src/chunks.ts'
import {
  claimDueDeviceJobs,
  type DeviceOutcome,
  markDueWhereReachable,
  markReachable,
  recordFirstAttempts,
  recordLaterAttempts,
} from '../src/device-jobs.ts'
import { cancelJob, completeJob, failJob, markScheduled } from '../src/jobs.ts'
import { type Db, rows, texts } from '../src/sql.ts'
import {
  dropLeases,
  expireOverdueJobs,
  markForgottenReachable,
  releaseExpiredChunks,
  releaseExpiredDeviceJobs,
  renewLeases,
} from '../src/sweeps.ts'
import { claim, givenJob, start } from './engine.ts'
import {
  closeRest,
  deviceJobs,
  freeze,
  hasEnded,
  idsIn,
  isOpen,
  type Model,
  type ModelChunk,
  type ModelClaim,
  type ModelJob,
  maxRunningJobs,
  mayAttempt,
  move,
  readyChunkNo,
  type Stage,
  startOf,
} from './engine-model.ts'

/** One thing that happens to the engine. Numbers of jobs and claims are taken modulo how many there are. */
export interface Step {
  readonly text: string
  isPossible(model: Model): boolean
  /** Does it; what it returns expects of the model's next state what the engine answered. */
  act(db: Db, model: Model): Promise<(model: Model) => void>
}

export const knownIds = ['d0', 'd1', 'd2', 'd3', 'd4', 'd5', 'd6', 'd7']
export const unknownIds = ['ghost-0', 'ghost-1']
export const leaseMs = 60_000

const all = { limit: 100 }
const notFound = { code: 'DeviceNotFound', description: 'it is not registered' }

export function create(request: {
  type: JobType
  deviceIds: readonly string[]
  isListed: boolean
  chunkSize: number
  startsInSeconds: number | null
  windowSeconds: number
}): Step {
  const { type, deviceIds, isListed, chunkSize, startsInSeconds, windowSeconds } = request
  return {
    text: `create(${JSON.stringify(request)})`,
    isPossible: ({ jobs }) => jobs.length < 4,
    async act(db, model) {
      const jobId = `job-${model.jobs.length}`
      const startTime = startsInSeconds === null ? null : new Date(model.now + startsInSeconds * 1000)
      const queryCondition = `deviceId IN [${deviceIds.map((id) => `'${id}'`).join(', ')}]`
      const request = {
        jobId,
        type,
        target: isListed ? { kind: 'devices', deviceIds } : { kind: 'condition', queryCondition },
        queryCondition,
        startTime,
        maxExecutionTimeInSeconds: windowSeconds,
      } as const
      const created = await givenJob(db, request, timeOf(model)).catch((error: Error) => error.message)
      return (model) => {
        if (model.jobs.some((job) => job.jobId === jobId)) return expect(created).toMatch('exists already')
        if (typeof created === 'string') throw new Error(created)
        const startAt = startTime?.getTime() ?? model.now
        model.jobs.push({
          jobId,
          key: created.key,
          type,
          startAt,
          deadlineAt: Math.max(startAt, model.now) + windowSeconds * 1000,
          target: [...new Set(deviceIds)].filter((id) => isListed || knownIds.includes(id)).sort(),
          chunkSize,
          status: 'queued',
          rest: null,
          chunks: null,
        })
      }
    },
  }
}

export function schedule(jobNo: number): Step {
  return ofJob('schedule', jobNo, async (db, { key }) => {
    const isScheduled = await markScheduled(db, key)
    return (job) => {
      expect(isScheduled).toBe(job.status === 'queued')
      if (isScheduled) job.status = 'scheduled'
    }
  })
}

export function startDue(jobNo: number): Step {
  return ofJob('start', jobNo, async (db, { key, chunkSize }, { now }) => {
    const { kind } = await start(db, key, { chunkSize, maxRunningJobs, now: new Date(now) })
    return (job, model) => {
      expect(kind).toBe(startOf(model, job))
      if (kind === 'started') freeze(job)
      if (kind === 'full') job.status = 'queued'
    }
  })
}

/** J6, J7: the model gives nothing once the job is cancelled or its window is over. */
export function takeChunk(jobNo: number, workerId: string, fails: readonly boolean[] = []): Step {
  return ofJob(`takeChunk by ${workerId}`, jobNo, (db, job, model) =>
    job.type === 'scheduleUpdateTwin' ? finishChunk(db, job, model, fails) : claimReady(db, job, model, workerId),
  )
}

async function claimReady(db: Db, { key }: ModelJob, model: Model, workerId: string): Promise<Follow> {
  const given = await claim(db, key, timeOf(model), { workerId, leaseMs })
  return (job, model, jobNo) => {
    const chunkNo = readyChunkNo(model, job)
    const chunk = job.chunks?.[chunkNo]
    if (chunk === undefined) return expect(given).toBeNull()
    const deviceIds = idsIn(chunk, 'untried')
    expect(given).toMatchObject({ chunkNo, deviceIds })
    for (const deviceId of deviceIds) move(job, chunk, deviceId, { kind: 'claimed' })
    chunk.fence += 1
    chunk.lease = { workerId, until: model.now + leaseMs }
    if (given !== null) model.claims.push({ kind: 'chunk', jobNo, given })
  }
}

async function finishChunk(db: Db, { key }: ModelJob, model: Model, fails: readonly boolean[]): Promise<Follow> {
  const hasFailed = (deviceId: string, index: number) => unknownIds.includes(deviceId) || fails[index] === true
  const finished = await db.transaction(async (tx) => {
    const running = await lockRunningJob(tx, key, timeOf(model))
    const chunk = running === null ? null : await lockChunk(tx, running)
    if (chunk === null) return null
    const failures = chunk.deviceIds.filter(hasFailed).map((deviceId) => ({ deviceId, error: notFound }))
    await finishLockedChunk(tx, chunk, failures, timeOf(model))
    return { chunkNo: chunk.chunkNo, deviceIds: chunk.deviceIds }
  })
  return (job, model) => {
    const chunkNo = readyChunkNo(model, job)
    const chunk = job.chunks?.[chunkNo]
    if (chunk === undefined) return expect(finished).toBeNull()
    const deviceIds = idsIn(chunk, 'untried')
    expect(finished).toEqual({ chunkNo, deviceIds })
    deviceIds.forEach((deviceId, index) => {
      move(job, chunk, deviceId, hasFailed(deviceId, index) ? failure(notFound.code) : success)
    })
  }
}

export function claimDue(jobNo: number, workerId: string, limit: number): Step {
  return ofJob(`claimDue of ${limit} by ${workerId}`, jobNo, async (db, { key }, model) => {
    const given = await claimDueDeviceJobs(db, key, { workerId, leaseMs, limit }, timeOf(model))
    return (job, model, jobNo) => {
      const due = mayAttempt(model, job) ? waitingOf(job).filter(({ stage }) => stage.dueAt <= model.now) : []
      expect(given?.attempts.length ?? 0).toBe(Math.min(limit, due.length))
      for (const { deviceId, attempt } of given?.attempts ?? []) {
        const found = due.find((waiting) => waiting.deviceId === deviceId)
        expect(found?.stage.attempt, `the attempt on ${deviceId}`).toBe(attempt - 1)
        if (found === undefined) continue
        move(job, found.chunk, deviceId, { kind: 'retried', attempt, workerId, until: model.now + leaseMs })
      }
      if (given !== null) model.claims.push({ kind: 'due', jobNo, given })
    }
  })
}

export const outcomeKinds = ['completed', 'failed', 'due now', 'due later', 'waiting', 'none'] as const
type OutcomeKind = (typeof outcomeKinds)[number]

/** Records outcomes of a claim, counted from the latest; a lost claim must write nothing. J4 */
export function record(claimNo: number, kinds: readonly OutcomeKind[], looksAgain = true): Step {
  const claimOf = ({ claims }: Model) => claims.at(-1 - (claimNo % Math.max(claims.length, 1)))
  return {
    text: `record(claim -${claimNo}, ${kinds}${looksAgain ? '' : ', does not look again'})`,
    isPossible: (model) => claimOf(model) !== undefined,
    async act(db, before) {
      const claim = claimOf(before)
      if (claim === undefined) throw new Error('there is no claim')
      const outcomes = outcomesOf(claim, kinds, before.now)
      const recorded = await (claim.kind === 'chunk'
        ? recordFirstAttempts(db, claim.given, outcomes, timeOf(before))
        : recordLaterAttempts(db, claim.given, outcomes, timeOf(before)))
      const waiting = outcomes.filter(({ status }) => status === 'pending').map(({ deviceId }) => deviceId)
      const dueAtOnce = looksAgain
        ? await markDueWhereReachable(db, claim.given.job, waiting, timeOf(before))
        : 0
      return (model) => {
        expect(recorded).toEqual(follow(model, claim, outcomes))
        if (looksAgain) expect(dueAtOnce).toBeGreaterThanOrEqual(reach(model, waiting, claim.jobNo))
      }
    },
  }
}

function outcomesOf(claim: ModelClaim, kinds: readonly OutcomeKind[], now: number): DeviceOutcome[] {
  const deviceIds = claim.kind === 'chunk' ? claim.given.deviceIds : claim.given.attempts.map((one) => one.deviceId)
  return deviceIds.flatMap((deviceId, index): DeviceOutcome[] => {
    const kind = kinds[index % kinds.length]
    if (kind === undefined || kind === 'none') return []
    if (unknownIds.includes(deviceId)) return [{ deviceId, status: 'failed', error: notFound }]
    switch (kind) {
      case 'completed':
        return [{ deviceId, status: kind, response: { status: 200, payload: null } }]
      case 'failed':
        return [{ deviceId, status: kind, error: { code: 'GatewayTimeout', description: 'no answer' } }]
      case 'waiting':
        return [{ deviceId, status: 'pending', dueAt: null }]
      default:
        return [{ deviceId, status: 'pending', dueAt: new Date(kind === 'due now' ? now : now + 5000) }]
    }
  })
}

function follow(model: Model, claim: ModelClaim, outcomes: readonly DeviceOutcome[]) {
  const job = jobOf(model, claim.jobNo)
  const touched = new Set<ModelChunk>()
  let count = 0
  for (const outcome of outcomes) {
    const chunk = job.chunks?.find(({ stages }) => stages.has(outcome.deviceId))
    const attempt = chunk === undefined ? null : heldAttempt(claim, chunk, outcome.deviceId)
    if (chunk === undefined || attempt === null) continue
    move(job, chunk, outcome.deviceId, stageAfter(outcome, attempt))
    touched.add(chunk)
    count += 1
  }
  return { count, isChunkClosed: [...touched].some(({ stages }) => [...stages.values()].every(hasEnded)) }
}

/** The number of the attempt, if the claim still holds it. */
function heldAttempt(claim: ModelClaim, chunk: ModelChunk, deviceId: string): number | null {
  const stage = chunk.stages.get(deviceId)
  if (claim.kind === 'chunk') return stage?.kind === 'claimed' && chunk.fence === claim.given.fence ? 1 : null
  const claimed = claim.given.attempts.find((one) => one.deviceId === deviceId)
  return stage?.kind === 'retried' && stage.attempt === claimed?.attempt ? stage.attempt : null
}

function stageAfter(outcome: DeviceOutcome, attempt: number): Stage {
  switch (outcome.status) {
    case 'completed':
      return success
    case 'failed':
      return failure(outcome.error.code)
    case 'pending':
      return { kind: 'waiting', attempt, dueAt: outcome.dueAt?.getTime() ?? Number.POSITIVE_INFINITY }
  }
}

/** Devices connect and subscribe to methods; the word of it may be lost. */
export function connect(deviceIds: readonly string[], isHeard: boolean): Step {
  return step(`connect(${deviceIds}${isHeard ? '' : ', unheard'})`, async (db, before) => {
    await setGateway(db, deviceIds, 'gateway-1')
    const woken = isHeard ? await markReachable(db, deviceIds, timeOf(before)) : []
    return (model) => {
      for (const deviceId of deviceIds) model.reachable.add(deviceId)
      if (!isHeard) return
      const expected = model.jobs.filter((job, jobNo) => mayAttempt(model, job) && reach(model, deviceIds, jobNo) > 0)
      // A wake-up more is harmless.
      expect(woken).toEqual(expect.arrayContaining(expected.map(({ key }) => key)))
    }
  })
}

export function disconnect(deviceIds: readonly string[]): Step {
  return step(`disconnect(${deviceIds})`, async (db) => {
    await setGateway(db, deviceIds, null)
    return (model) => {
      for (const deviceId of deviceIds) model.reachable.delete(deviceId)
    }
  })
}

export const findReachable = step('findReachable', async (db, before) => {
  await markForgottenReachable(db, all, timeOf(before))
  return (model) => {
    model.jobs.forEach((job, jobNo) => {
      if (mayAttempt(model, job)) reach(model, knownIds, jobNo)
    })
  }
})

export function advance(seconds: number): Step {
  return step(`advance(${seconds} s)`, async () => (model) => {
    model.now += seconds * 1000
  })
}

export const releaseChunks = step('releaseChunks', async (db, before) => {
  const released = await releaseExpiredChunks(db, all, timeOf(before))
  return (model) => {
    let count = 0
    for (const job of model.jobs) {
      for (const chunk of job.chunks ?? []) {
        if (chunk.lease === null || chunk.lease.until > model.now) continue
        for (const deviceId of idsIn(chunk, 'claimed')) move(job, chunk, deviceId, { kind: 'untried' })
        count += 1
      }
    }
    expect(released).toBe(count)
  }
})

export const releaseDeviceJobs = step('releaseDeviceJobs', async (db, before) => {
  const released = await releaseExpiredDeviceJobs(db, all, timeOf(before))
  return (model) => {
    let count = 0
    for (const [job, chunk, deviceId, stage] of deviceJobs(model)) {
      if (stage.kind !== 'retried' || stage.until > model.now) continue
      move(job, chunk, deviceId, { kind: 'waiting', attempt: stage.attempt, dueAt: model.now })
      count += 1
    }
    expect(released).toBe(count)
  }
})

export function renew(workerId: string): Step {
  return step(`renew by ${workerId}`, async (db, before) => {
    await renewLeases(db, { workerId, leaseMs }, timeOf(before))
    return (model) => leaseUntil(model, workerId, model.now + leaseMs)
  })
}

export function drop(workerId: string): Step {
  return step(`drop by ${workerId}`, async (db, before) => {
    await dropLeases(db, workerId, timeOf(before))
    return (model) => leaseUntil(model, workerId, model.now)
  })
}

export const expire = step('expire', async (db, before) => {
  const expired = await expireOverdueJobs(db, all, timeOf(before))
  return (model) => {
    const overdue = model.jobs.filter(
      (job) => job.status === 'running' && job.deadlineAt <= model.now && job.rest === null && isOpen(job),
    )
    expect(expired).toBe(overdue.length)
    for (const job of overdue) closeRest(job, 'expired')
  }
})

export function cancel(jobNo: number): Step {
  return ofJob('cancel', jobNo, async (db, { jobId }, before) => {
    const { kind } = await cancelJob(db, jobId, timeOf(before))
    return (job) => {
      expect(kind).toBe(/completed|failed/.test(job.status) ? 'terminal' : 'cancelled')
      if (kind === 'cancelled') endJob(job, 'cancelled')
    }
  })
}

export function fail(jobNo: number): Step {
  return ofJob('fail', jobNo, async (db, { key }, before) => {
    const failed = await failJob(db, key, 'it could not do its work', timeOf(before))
    return (job) => {
      expect(failed === null).toBe(/completed|failed|cancelled/.test(job.status))
      if (failed !== null) endJob(job, 'failed')
    }
  })
}

export function complete(jobNo: number): Step {
  return ofJob('complete', jobNo, async (db, { key }, before) => {
    const completed = await completeJob(db, key, timeOf(before))
    return (job) => {
      expect(completed !== null).toBe(job.status === 'running' && !isOpen(job))
      if (completed !== null) job.status = 'completed'
    }
  })
}

type Follow = (job: ModelJob, model: Model, jobNo: number) => void

function ofJob(text: string, no: number, act: (db: Db, job: ModelJob, model: Model) => Promise<Follow>): Step {
  const numberOf = ({ jobs }: Model) => no % jobs.length
  return {
    text: `${text}(job ${no})`,
    isPossible: ({ jobs }) => jobs.length > 0,
    async act(db, before) {
      const jobNo = numberOf(before)
      const followJob = await act(db, jobOf(before, jobNo), before)
      return (model) => followJob(jobOf(model, jobNo), model, jobNo)
    },
  }
}

function step(text: string, act: Step['act']): Step {
  return { text, isPossible: () => true, act }
}

function jobOf({ jobs }: Model, jobNo: number): ModelJob {
  const job = jobs[jobNo]
  if (job === undefined) throw new Error(`there is no job ${jobNo}`)
  return job
}

function timeOf({ now }: Model): Date {
  return new Date(now)
}

const success: Stage = { kind: 'ended', status: 'completed', errorCode: null }

function failure(errorCode: string): Stage {
  return { kind: 'ended', status: 'failed', errorCode }
}

/** Ending a job that has ended changes nothing. */
function endJob(job: ModelJob, status: 'cancelled' | 'failed'): void {
  if (job.status === status) return
  job.status = status
  closeRest(job, 'canceled')
}

function waitingOf(job: ModelJob) {
  return (job.chunks ?? []).flatMap((chunk) =>
    [...chunk.stages].flatMap(([deviceId, stage]) => (stage.kind === 'waiting' ? [{ deviceId, chunk, stage }] : [])),
  )
}

/** Makes due what waits for those of the devices that are reachable. Returns how many. */
function reach(model: Model, deviceIds: readonly string[], jobNo: number): number {
  const job = jobOf(model, jobNo)
  const reached = waitingOf(job).filter(
    ({ deviceId, stage }) =>
      stage.dueAt === Number.POSITIVE_INFINITY && deviceIds.includes(deviceId) && model.reachable.has(deviceId),
  )
  for (const { deviceId, chunk, stage } of reached) move(job, chunk, deviceId, { ...stage, dueAt: model.now })
  return reached.length
}

function leaseUntil(model: Model, workerId: string, until: number): void {
  for (const [job, chunk, deviceId, stage] of deviceJobs(model)) {
    if (chunk.lease?.workerId === workerId) chunk.lease = { workerId, until }
    if (stage.kind === 'retried' && stage.workerId === workerId) move(job, chunk, deviceId, { ...stage, until })
  }
}

async function setGateway(db: Db, deviceIds: readonly string[], gatewayId: string | null): Promise<void> {
  await rows(
    db,
    sql`
    update sessions set gateway_id = ${gatewayId}, accepts_methods = ${gatewayId !== null}
     where device_id = any(${texts(deviceIds)})
    returning device_id`,
  )
}
