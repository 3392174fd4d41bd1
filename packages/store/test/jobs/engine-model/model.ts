import type { DeviceJobStatus, JobKey, JobStatus, JobType } from '@muster/contract'
import type { ClaimedChunk } from '../../../src/jobs/chunks.ts'
import type { ClaimedDeviceJobs } from '../../../src/jobs/device-jobs.ts'

/**
 * What the engine must do, in memory and one step after the other: a device job is always in one stage, and the statistics
 * are a count of the stages. Plain data, so that it can be cloned. Times are milliseconds of the epoch.
 */
export interface Model {
  /** The time of Postgres. */
  now: number
  /** One for each process. */
  clocks: readonly ModelClock[]
  readonly jobs: ModelJob[]
  /** Every claim whose answer has come, those too that others have taken since. */
  readonly claims: ModelClaim[]
  /** Processes that claim, each under its lease of the moment. */
  readonly workers: ModelWorker[]
  /** Until when each lease lasts that is written down. */
  readonly leases: Map<string, number>
  leaseCount: number
  readonly reachable: Set<string>
  /** The registered devices, each with a number that rises with each registration. */
  readonly registered: Map<string, number>
  registrations: number
  /** Windows that were closed and that no sweep has counted yet: none, once every sweep has said how many it closed. */
  uncounted: number
}

/** What a process takes for the time of the hub. `aheadMs`: of Postgres. */
export interface ModelClock {
  readonly aheadMs: number
  readonly isTrusted: boolean
}

export interface ModelWorker {
  readonly workerId: string
  /** As the process has written it. */
  readonly leaseUntil: number
}

export interface ModelJob {
  readonly jobId: string
  readonly key: JobKey
  readonly type: JobType
  /** Not before it was created. */
  readonly startAt: number
  /** As it was asked for. */
  readonly windowSeconds: number
  /** Infinite while it is paused. */
  deadlineAt: number
  /** R39: of its window, when it was paused. */
  windowLeft: number
  /** R42: when the pause cancels it. Infinite: never. */
  pauseEndsAt: number
  /** In device id order. */
  readonly requested: readonly string[]
  /** Unregistered ones are targets too. */
  readonly isListed: boolean
  readonly chunkSize: number
  /** The highest number of its devices when it started. */
  lastRegistration: number
  status: JobStatus
  isPaused: boolean
  /** The last time that it was paused. */
  pausedAt: number | null
  /** Its chunks of later stages have to wait. */
  openStage: number
  /** How what has not started has ended. */
  rest: 'canceled' | 'expired' | null
  /** Null: it has none of its own. */
  readonly stages: ModelStage[] | null
  /** Null until the target set is frozen. */
  chunks: ModelChunk[] | null
}

/** A stage as the job asks for it, and what has come of its gate. */
export interface ModelStage {
  readonly size: number
  readonly successThreshold: number | null
  readonly soakSeconds: number
  readonly isManual: boolean
  /** So many devices that fail stop the job. */
  readonly failureCount: number | null
  readonly action: 'pause' | 'cancel'
  metAt: number | null
  heldAt: number | null
  hasStopped: boolean
}

export interface ModelChunk {
  readonly stages: Map<string, Stage>
  /** J22: devices that a worker may have called, and no outcome says whether it did. */
  readonly asked: Set<string>
  /** R56: how often each device has put its job off. */
  readonly putOff: Map<string, number>
  stageNo: number
  isHeld: boolean
  fence: number
  /** The lease under which it is claimed. */
  holder: string | null
}

/** Where a device job stands. */
export type Stage =
  | { readonly kind: 'untried' }
  /** With its chunk. */
  | { readonly kind: 'claimed' }
  /** To be tried again: at a time, or, when that is infinite, once its device is reachable. */
  | { readonly kind: 'waiting'; readonly attempt: number; readonly dueAt: number }
  /** Claimed by itself. */
  | { readonly kind: 'retried'; readonly attempt: number; readonly workerId: string }
  | {
      readonly kind: 'ended'
      readonly status: 'completed' | 'failed' | 'canceled' | 'skipped'
      readonly errorCode: string | null
    }

export type ModelClaim =
  | { readonly kind: 'chunk'; readonly workerNo: number; readonly given: ClaimedChunk }
  | { readonly kind: 'due'; readonly workerNo: number; readonly given: ClaimedDeviceJobs }

export const maxRunningJobs = 2
export const workerCount = 2
/** The number of one more, who knows of no claim that the others have made. */
export const newcomer = 2

const untried: Stage = { kind: 'untried' }

export function statusOf(stage: Stage): DeviceJobStatus {
  switch (stage.kind) {
    case 'untried':
    case 'waiting':
      return 'pending'
    case 'claimed':
    case 'retried':
      return 'running'
    case 'ended':
      return stage.status
  }
}

/** Every device job of a job, in device id order. */
export function stagesOf(job: ModelJob): [deviceId: string, stage: Stage][] {
  return (job.chunks ?? []).flatMap((chunk) => [...chunk.stages])
}

export function hasEnded(stage: Stage): boolean {
  return stage.kind === 'ended'
}

export function isOpen(job: ModelJob): boolean {
  return !stagesOf(job).every(([, stage]) => hasEnded(stage))
}

/** J6, J7: whether the job runs and its window is open. */
export function mayAttempt(model: Model, job: ModelJob): boolean {
  return job.status === 'running' && model.now < job.deadlineAt
}

/** J40, J41: whether nothing but the time keeps attempts on the devices of a chunk from starting. */
export function isFree({ isPaused, openStage }: ModelJob, { stageNo, isHeld }: ModelChunk): boolean {
  return !isPaused && stageNo <= openStage && !isHeld
}

/** R39: its window stands still. */
export function pauseAt(job: ModelJob, now: number, timeoutSeconds = Number.POSITIVE_INFINITY): void {
  const windowLeft = job.deadlineAt - now
  const pauseEndsAt = now + timeoutSeconds * 1000
  Object.assign(job, { isPaused: true, pausedAt: now, windowLeft, deadlineAt: Number.POSITIVE_INFINITY, pauseEndsAt })
}

/** Its window goes on, and so does the soak of its gate. */
export function resumeAt(job: ModelJob, now: number): void {
  job.isPaused = false
  job.deadlineAt = now + job.windowLeft
  job.pauseEndsAt = Number.POSITIVE_INFINITY
  const open = job.stages?.[job.openStage]
  if (open?.metAt != null) open.metAt += now - (job.pausedAt ?? now)
}

/** J12: what comes of an attempt to start a job. */
export function startOf(model: Model, job: ModelJob): 'started' | 'full' | 'idle' {
  const isDue = (job: ModelJob) => /queued|scheduled/.test(job.status) && job.startAt <= model.now && !job.isPaused
  if (!isDue(job)) return 'idle'
  const no = model.jobs.indexOf(job)
  const isAhead = (other: ModelJob, otherNo: number) =>
    other.startAt < job.startAt || (other.startAt === job.startAt && otherNo < no)
  if (isOver(model, job)) return 'started'
  const running = model.jobs.filter((other) => holdsPlace(model, other)).length
  const ahead = model.jobs.filter(
    (other, otherNo) => isDue(other) && !isOver(model, other) && isAhead(other, otherNo),
  ).length
  return running + ahead >= maxRunningJobs ? 'full' : 'started'
}

/** The window of the job is over. */
export function isOver(model: Model, { deadlineAt }: ModelJob): boolean {
  return deadlineAt <= model.now
}

/** J12: something of it can be done now, or is under way. */
function holdsPlace(model: Model, job: ModelJob): boolean {
  if (job.status !== 'running' || job.isPaused) return false
  return (job.chunks ?? []).some((chunk) =>
    [...chunk.stages.values()].some((stage) => {
      if (stage.kind === 'waiting') return stage.dueAt <= model.now && isFree(job, chunk)
      if (stage.kind === 'untried') return isFree(job, chunk)
      return stage.kind !== 'ended'
    }),
  )
}

export function freeze({ registered }: Model, job: ModelJob): void {
  const target = job.requested.filter((id) => job.isListed || registered.has(id))
  job.status = 'running'
  job.lastRegistration = Math.max(0, ...target.map((id) => registered.get(id) ?? 0))
  job.chunks = divided(target, job).flatMap((ofStage, stageNo) => chunksOf(ofStage, stageNo, job.chunkSize))
  job.openStage = job.chunks[0]?.stageNo ?? 0
}

/** R10: the devices of each stage. The last one has the rest. */
function divided(target: readonly string[], { stages }: ModelJob): readonly string[][] {
  const sizes = (stages ?? []).slice(0, -1).map(({ size }) => size)
  const before = (no: number) => sizes.slice(0, no).reduce((sum, size) => sum + size, 0)
  return [...sizes, target.length].map((size, no) => target.slice(before(no), before(no) + size))
}

function chunksOf(deviceIds: readonly string[], stageNo: number, chunkSize: number): ModelChunk[] {
  if (deviceIds.length === 0) return []
  const stages = new Map(deviceIds.slice(0, chunkSize).map((deviceId) => [deviceId, untried] as const))
  const first = { stages, asked: new Set<string>(), putOff: new Map(), stageNo, isHeld: false, fence: 0, holder: null }
  return [first, ...chunksOf(deviceIds.slice(chunkSize), stageNo, chunkSize)]
}

/** J11: a lease that has ended gives no claim, and what was claimed under it is free. */
export function isAlive({ leases, now }: Model, workerId: string): boolean {
  return (leases.get(workerId) ?? 0) > now
}

export function workerOf({ workers }: Model, no: number): ModelWorker {
  const worker = workers[no]
  if (worker === undefined) throw new Error(`there is no worker ${no}`)
  return worker
}

export function chunkOf(job: ModelJob, deviceId: string): ModelChunk {
  const chunk = job.chunks?.find(({ stages }) => stages.has(deviceId))
  if (chunk === undefined) throw new Error(`${deviceId} is no target of ${job.jobId}`)
  return chunk
}

/** J30, J31: the device was deleted, or made anew after the start. */
export function isGone({ registered }: Model, { lastRegistration }: ModelJob, deviceId: string): boolean {
  return (registered.get(deviceId) ?? Number.POSITIVE_INFINITY) > lastRegistration
}

/** The chunks of a job that a claim may take, the first one of the first stage first. */
export function readyChunks(model: Model, job: ModelJob): { chunkNo: number; chunk: ModelChunk }[] {
  if (!mayAttempt(model, job)) return []
  return (job.chunks ?? [])
    .map((chunk, chunkNo) => ({ chunkNo, chunk }))
    .filter(({ chunk }) => chunk.holder === null && isFree(job, chunk) && idsIn(chunk, 'untried').length > 0)
    .sort((left, right) => left.chunk.stageNo - right.chunk.stageNo)
}

export function idsIn(chunk: ModelChunk, kind: Stage['kind']): string[] {
  return [...chunk.stages].filter(([, stage]) => stage.kind === kind).map(([deviceId]) => deviceId)
}

/** Moves a device job. Where the rest of the job has ended, what would be tried again ends with it. */
export function move(job: ModelJob, chunk: ModelChunk, deviceId: string, to: Stage): void {
  if (to.kind === 'claimed' || to.kind === 'retried') chunk.asked.add(deviceId)
  const isPending = to.kind === 'untried' || to.kind === 'waiting'
  chunk.stages.set(deviceId, isPending ? withRest(job, to, chunk.asked.has(deviceId)) : to)
  if (idsIn(chunk, 'claimed').length === 0) chunk.holder = null
}

function withRest(job: ModelJob, stage: Stage, isAsked: boolean): Stage {
  switch (job.rest) {
    case null:
      return stage
    case 'canceled':
      return { kind: 'ended', status: 'canceled', errorCode: isAsked ? 'DeviceConnectionClosedRemotely' : null }
    case 'expired':
      return {
        kind: 'ended',
        status: 'failed',
        errorCode: isAsked ? 'DeviceConnectionClosedRemotely' : 'JobRunPreconditionFailed',
      }
  }
}

/** Ends what has not started. A job whose window is over keeps that as its reason when it is cancelled. */
export function closeRest(job: ModelJob, rest: 'canceled' | 'expired'): void {
  job.rest ??= rest
  for (const chunk of job.chunks ?? []) {
    chunk.isHeld = false
    for (const [deviceId, stage] of chunk.stages) move(job, chunk, deviceId, stage)
  }
}

/** Each device job with its chunk and job. */
export function* deviceJobs(model: Model): Generator<[ModelJob, ModelChunk, deviceId: string, Stage]> {
  for (const job of model.jobs) {
    for (const chunk of job.chunks ?? []) {
      for (const [deviceId, stage] of chunk.stages) yield [job, chunk, deviceId, stage]
    }
  }
}
