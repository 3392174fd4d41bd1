import type { CallResult } from '@muster/bus'
import type { Outcome } from '@muster/operations'
import { finishJob, type Hub } from '@muster/runtime'
import { type DeviceOutcome, markDueWhereReachable, type RunningJob } from '@muster/store'
import type { Attempt, Claim } from '../claim.ts'
import { backoffMs } from './backoff.ts'
import { persistently } from './persistently.ts'

type Tools = Pick<Hub, 'db' | 'bus' | 'clock' | 'events'>

/** The outcome of an attempt on a device, and what is known of the call. */
export interface Decided {
  readonly attempt: Attempt
  readonly outcome: Outcome
  readonly deliveredAtMs?: number | undefined
  /** Nobody knows whether the device got the call. */
  readonly isUnknown?: boolean
}

export function deliveryOf({ kind, deliveredAtMs }: CallResult): Pick<Decided, 'deliveredAtMs' | 'isUnknown'> {
  return { deliveredAtMs, isUnknown: deliveredAtMs === undefined && (kind === 'gatewayLost' || kind === 'forgotten') }
}

/** Records outcomes and sees to what follows from them. */
export async function recordOutcomes(
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
