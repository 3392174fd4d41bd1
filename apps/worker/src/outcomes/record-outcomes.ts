import type { CallResult } from '@muster/bus'
import type { KeptAttempt } from '@muster/contract'
import type { Outcome } from '@muster/operations'
import { advanceRollout, finishJob, type Hub, traceIdOf } from '@muster/runtime'
import {
  type DeviceOutcome,
  isWatched,
  markDueWhereReachable,
  type Recorded,
  type RunningJob,
  recordFirstAttempts,
  recordLaterAttempts,
} from '@muster/store'
import type { Attempt, Claim } from '../claim.ts'
import { eachAtOnce } from '../each-at-once.ts'
import { backoffMs } from './backoff.ts'
import { countByCode } from './count-by-code.ts'
import { persistently } from './persistently.ts'

export type Tools = Pick<Hub, 'db' | 'bus' | 'clock' | 'events' | 'metrics'>

/** The outcome of an attempt on a device, and what is known of the call. */
export interface Decided {
  readonly attempt: Attempt
  readonly outcome: Outcome
  readonly deliveredAtMs?: number | undefined
  /** Nobody knows whether the device got the call. */
  readonly isUnknown?: boolean
  readonly kept?: KeptAttempt | null
}

export function deliveryOf({ kind, deliveredAtMs }: CallResult): Pick<Decided, 'deliveredAtMs' | 'isUnknown'> {
  return { deliveredAtMs, isUnknown: deliveredAtMs === undefined && (kind === 'gatewayLost' || kind === 'forgotten') }
}

/** What was decided of some devices of a claim. */
export interface Part {
  readonly claim: Claim
  readonly decided: readonly Decided[]
}

/** Records outcomes of any claims of one kind in one statement, and sees to what follows from them. No claim may come twice. */
export async function recordOutcomes(hub: Tools, parts: readonly Part[], signal: AbortSignal): Promise<void> {
  const recorded = await persistently(() => write(hub, parts), signal)
  const results = parts.map((part, no) => ({
    ...part,
    ...(recorded[no] ?? { count: 0, isChunkClosed: false, cancelledAt: null }),
  }))
  for (const result of results) report(hub, result)
  const jobs = new Map(parts.map(({ claim }) => [claim.job.key, claim.job])).values()
  await eachAtOnce(jobs, (job) =>
    followUp(
      hub,
      job,
      results.filter(({ claim }) => claim.job.key === job.key),
    ),
  )
}

/** What came of the devices is recorded, and their places wait for this. If it fails, a sweep does it. */
async function followUp(hub: Tools, job: RunningJob, results: readonly (Part & Recorded)[]): Promise<void> {
  const steps = [
    async () => {
      if (!results.some(({ isChunkClosed }) => isChunkClosed)) return
      // Criteria come first: what the last outcomes fulfil still stops the job.
      if (isWatched(job.extensions)) await advanceRollout(hub, job.key)
      await finishJob(hub, job.key)
    },
    () =>
      wakeReachable(
        hub,
        job,
        results.flatMap(({ decided }) => decided),
      ),
  ]
  await eachAtOnce(steps, (step) =>
    step().catch((error: unknown) => {
      for (const kind of new Set(results.map(({ claim }) => claim.kind)))
        hub.events.wakeUpFailed({ kind, jobKey: job.key, traceId: traceIdOf(job.traceparent), error })
    }),
  )
}

async function write({ db, clock }: Tools, parts: readonly Part[]): Promise<Recorded[]> {
  const now = clock.now()
  const outcomesOf = ({ decided }: Part) => decided.map((one) => toRecord(one, now))
  const first = parts.flatMap((part) =>
    part.claim.kind === 'chunks' ? [{ claim: part.claim.given, outcomes: outcomesOf(part) }] : [],
  )
  if (first.length > 0) return recordFirstAttempts(db, first, now)
  const later = parts.flatMap((part) =>
    part.claim.kind === 'due' ? [{ claim: part.claim.given, outcomes: outcomesOf(part) }] : [],
  )
  return recordLaterAttempts(db, later, now)
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
  { attempt: { deviceId, attempt }, outcome, deliveredAtMs, isUnknown = false, kept = null }: Decided,
  now: Date,
): DeviceOutcome {
  const deliveredAt = deliveredAtMs === undefined ? undefined : new Date(deliveredAtMs)
  const called = { deviceId, isUnknown, deliveredAt, kept }
  switch (outcome.kind) {
    case 'succeeded':
      return { ...called, status: 'completed', response: outcome.response }
    case 'failed':
      return { ...called, status: 'failed', error: outcome.error }
    case 'skipped':
      return { ...called, status: 'skipped' }
    case 'waiting':
      return { ...called, status: 'pending', dueAt: null }
    case 'retry': {
      const { afterMs = backoffMs(attempt, Math.random()), isNotNow = false } = outcome
      return { ...called, isNotNow, status: 'pending', dueAt: new Date(now.getTime() + afterMs) }
    }
  }
}

function report({ events, metrics }: Tools, { claim, decided, count, cancelledAt }: Part & Recorded): void {
  const { key, type } = claim.job
  const { traceId } = claim.span
  if (count < decided.length) {
    // Nobody knows which of them were written. The next owner of the claim reports them.
    events.claimLost({ jobKey: key, type, traceId })
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
    failures: countByCode(decided.flatMap(({ outcome }) => (outcome.kind === 'failed' ? [outcome.error] : []))),
    traceId,
  })
  if (cancelledAt === null) return
  for (const { deliveredAtMs = 0 } of decided) {
    const lagMs = deliveredAtMs - cancelledAt.getTime()
    if (lagMs > 0) metrics.muster_cancel_lag_seconds.observe(lagMs / 1000)
  }
}
