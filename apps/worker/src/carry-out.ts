import { setTimeout as sleep } from 'node:timers/promises'
import {
  type CallResult,
  type CallTarget,
  callIdOf,
  type DeviceCall,
  deliverBefore,
  type WorkWakeUp,
} from '@muster/bus'
import type { GatewayId } from '@muster/contract'
import { type Outcome, operationOf } from '@muster/operations'
import { finishJob, type Hub } from '@muster/runtime'
import {
  type DeviceOutcome,
  findRoutes,
  isWorthRepeating,
  markDueWhereReachable,
  type Recorded,
  type Route,
  type RunningJob,
} from '@muster/store'
import { backoffMs } from './backoff.ts'
import type { Places } from './places.ts'

/** Devices that this worker has claimed, for one attempt on each. */
export interface Claim {
  /** The wake-up that led to it. */
  readonly kind: WorkWakeUp['kind']
  readonly job: RunningJob
  readonly claimedAt: Date
  readonly deviceCount: number
  readonly attempts: readonly Attempt[]
  /** Writes outcomes, guarded by the claim. May be called often, with different devices each time. */
  record(outcomes: readonly DeviceOutcome[]): Promise<Recorded>
}

/** A device of a claim. */
interface Attempt {
  readonly deviceId: string
  /** 1 for the first. */
  readonly attempt: number
  /** How often the device certainly got the call before, and how often nobody knows whether it did. */
  readonly deliveries: number
  readonly unknownDeliveries: number
  /** The first claim since the last recorded outcome. Before `claimedAt`: an earlier worker may have called the device. */
  readonly askedSince: Date
}

type Tools = Pick<Hub, 'db' | 'bus' | 'clock' | 'events'>

/** Calls the devices of a claim and records the outcomes. Ends early when the signal aborts, with the rest unrecorded. */
export async function carryOut(
  hub: Tools,
  claim: Claim,
  { places, signal }: { places: Places; signal: AbortSignal },
): Promise<void> {
  const operation = operationOf(claim.job.type)
  if (operation.kind !== 'device') throw new TypeError(`${claim.job.type} calls no devices`)

  const attempts = new Map(claim.attempts.map((attempt) => [attempt.deviceId, attempt]))
  const recordAndRelease = async (decided: readonly Decided[]) => {
    await recordOutcomes(hub, claim, decided, signal)
    places.release(decided.length)
  }
  const decideAll = (results: readonly CallResult[]) =>
    results.flatMap((told): Decided[] => {
      const attempt = attempts.get(told.identity)
      if (attempt === undefined) return []
      // That nobody listens now says nothing about an earlier ask.
      const isUntold = told.kind === 'noGateway' && isTakenOver(claim, attempt)
      const result: CallResult = isUntold ? { identity: told.identity, kind: 'forgotten' } : told
      return [{ attempt, outcome: operation.decide(result, claim.job.body), ...deliveryOf(result) }]
    })

  const { byGateway, unknown, outcomes } = await route(hub, claim, signal)
  await recordAndRelease([...outcomes, ...decideAll(unknown)])
  const method = operation.call(claim.job.body)
  const calls = [...byGateway].map(async ([gatewayId, routed]) => {
    const call = { ...method, ...callOf(claim), gatewayId, targets: routed.map((attempt) => targetOf(claim, attempt)) }
    for await (const results of hub.bus.callDevices(call, { signal, patience: 'long' })) {
      await recordAndRelease(decideAll(results))
    }
  })
  // Waits for all, also when one fails: the claim is under way as long as any call is.
  const failed = (await Promise.allSettled(calls)).find((ended) => ended.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

/** All calls of a job have its key, so that no gateway gives a device two of them. */
function callOf({ job, claimedAt }: Claim): Pick<DeviceCall, 'callId' | 'deliverBeforeMs'> {
  return {
    callId: callIdOf(job.key),
    deliverBeforeMs: Math.min(deliverBefore(claimedAt), job.deadlineAt.getTime()),
  }
}

function targetOf(claim: Claim, attempt: Attempt): CallTarget {
  const { deviceId, deliveries, unknownDeliveries } = attempt
  const delivery = deliveries + unknownDeliveries + 1
  return { identity: deviceId, delivery, askedSinceMs: askedSince(claim, attempt).getTime() }
}

/** Whether an earlier worker may have called the device, and has recorded nothing. */
function isTakenOver({ claimedAt }: Claim, attempt: Attempt): boolean {
  return attempt.askedSince < claimedAt
}

/** Two processes that know the time differ by this much at most. */
const clockErrorMs = 1_000

/** When the device may have been asked first, as another process would have seen it. */
function askedSince(claim: Claim, attempt: Attempt): Date {
  const marginMs = isTakenOver(claim, attempt) ? clockErrorMs : 0
  return new Date(attempt.askedSince.getTime() - marginMs)
}

interface Decided {
  readonly attempt: Attempt
  readonly outcome: Outcome
  readonly deliveredAtMs?: number | undefined
  /** Nobody knows whether the device got the call. */
  readonly isUnknown?: boolean
}

function deliveryOf({ kind, deliveredAtMs }: CallResult): Pick<Decided, 'deliveredAtMs' | 'isUnknown'> {
  return { deliveredAtMs, isUnknown: deliveredAtMs === undefined && (kind === 'gatewayLost' || kind === 'forgotten') }
}

/**
 * Which gateway holds which device, and the outcomes of devices that no gateway holds. `unknown`: an earlier worker may have called the
 * device through a connection that has ended since, so no gateway can tell.
 */
async function route({ db }: Tools, claim: Claim, signal: AbortSignal) {
  const { attempts, job } = claim
  const deviceIds = attempts.map(({ deviceId }) => deviceId)
  const found = await persistently(() => findRoutes(db, deviceIds), signal)
  const routes = new Map(found.map((one) => [String(one.identity), one]))
  const byGateway = new Map<GatewayId, Attempt[]>()
  const unknown: CallResult[] = []
  const outcomes: Decided[] = []
  for (const attempt of attempts) {
    const { deviceId } = attempt
    const wasTakenOver = isTakenOver(claim, attempt)
    const found = routes.get(deviceId)
    const gatewayId = found?.status === 'enabled' ? found.gatewayId : null
    // One that was made anew under the name is another device.
    const isTarget = found !== undefined && found.generationNo <= job.lastGenerationNo
    if (!isTarget) outcomes.push({ attempt, outcome: unknownDevice(deviceId, wasTakenOver) })
    else if (wasTakenOver && hasMovedSince({ ...found, gatewayId }, askedSince(claim, attempt))) {
      unknown.push({ identity: deviceId, kind: 'forgotten' })
    } else if (gatewayId === null) outcomes.push({ attempt, outcome: { kind: 'waiting' } })
    else byGateway.set(gatewayId, [...(byGateway.get(gatewayId) ?? []), attempt])
  }
  return { byGateway, unknown, outcomes }
}

/** Whether the device was reachable at that time, and is not so now by the same connection. */
function hasMovedSince({ gatewayId, isConnected, stateUpdatedAt }: Route, time: Date): boolean {
  return (stateUpdatedAt !== null && stateUpdatedAt >= time) || (isConnected && gatewayId === null)
}

function unknownDevice(deviceId: string, mayHaveBeenCalled: boolean): Outcome {
  const before = mayHaveBeenCalled ? '; whether it was called before is not known' : ''
  const description = `the device ${deviceId} is not registered${before}`
  return { kind: 'failed', error: { code: 'DeviceNotFound', description } }
}

/** Records outcomes and sees to what follows from them. */
async function recordOutcomes(
  hub: Tools,
  claim: Claim,
  decided: readonly Decided[],
  signal: AbortSignal,
): Promise<void> {
  if (decided.length === 0) return
  const { clock, events } = hub
  const { job } = claim
  const now = clock.now()
  const { count, isChunkClosed } = await persistently(
    () => claim.record(decided.map((one) => toRecord(one, now))),
    signal,
  )
  report(hub, job, decided, count)
  try {
    if (isChunkClosed) await finishJob(hub, job.key)
    await wakeReachable(hub, job, decided)
  } catch (error) {
    // What came of the devices is recorded, and more answers may come. A sweep does the rest.
    events.wakeUpFailed({ kind: claim.kind, jobKey: job.key, error })
  }
}

/** A device may have become reachable while it was recorded that it is not. */
async function wakeReachable(
  { db, bus, clock, events }: Tools,
  job: RunningJob,
  decided: readonly Decided[],
): Promise<void> {
  const waiting = decided.filter(({ outcome }) => outcome.kind === 'waiting').map(({ attempt }) => attempt.deviceId)
  if (waiting.length === 0) return
  const reachable = await markDueWhereReachable(db, job, waiting, clock.now())
  if (reachable > 0 && !(await bus.wakeDue(job.key))) events.wakeUpLost({ kind: 'due' })
}

const repeatAfterMsMax = 5_000

/**
 * A device has answered, and nobody else knows it. So this tries until Postgres is back, however long that takes, or until the signal
 * aborts. The places of the devices are held meanwhile, so the worker claims no more than it can keep.
 */
async function persistently<Value>(work: () => Promise<Value>, signal: AbortSignal): Promise<Value> {
  for (let pauseMs = 100; ; pauseMs = Math.min(2 * pauseMs, repeatAfterMsMax)) {
    try {
      return await work()
    } catch (error) {
      if (!isWorthRepeating(error) || signal.aborted) throw error
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
    }
  }
}

function toRecord(
  { attempt: { deviceId, attempt }, outcome, deliveredAtMs, isUnknown = false }: Decided,
  now: Date,
): DeviceOutcome {
  const called = { deviceId, isUnknown, deliveredAt: deliveredAtMs === undefined ? undefined : new Date(deliveredAtMs) }
  switch (outcome.kind) {
    case 'succeeded':
      return { ...called, status: 'completed', response: outcome.response }
    case 'failed':
      return { ...called, status: 'failed', error: outcome.error }
    case 'waiting':
      return { ...called, status: 'pending', dueAt: null }
    case 'retry': {
      const delayMs = backoffMs(attempt, Math.random())
      return { ...called, status: 'pending', dueAt: new Date(now.getTime() + delayMs) }
    }
  }
}

function report({ events }: Tools, { key, type }: RunningJob, decided: readonly Decided[], count: number): void {
  if (count < decided.length) {
    // Nobody knows which of them were written. The next owner of the claim reports them.
    events.claimLost({ jobKey: key, type })
    return
  }
  const countOf = (kind: Outcome['kind']) => decided.filter(({ outcome }) => outcome.kind === kind).length
  events.chunkRecorded({
    jobKey: key,
    type,
    succeeded: countOf('succeeded'),
    failed: countOf('failed'),
    retried: countOf('retry'),
    waiting: countOf('waiting'),
  })
}
