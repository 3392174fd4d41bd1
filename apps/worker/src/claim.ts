import type { Span } from '@muster/runtime'
import type { ClaimedChunk, ClaimedDeviceJobs, RunningJob } from '@muster/store'

/** Devices that this worker has claimed, for one attempt on each. `kind`: the wake-up that led to it; `given`: what Postgres gave. */
export type Claim = {
  readonly job: RunningJob
  /** The lease to which it belonged first. */
  readonly workerId: string
  readonly claimedAt: Date
  readonly deviceCount: number
  readonly attempts: readonly Attempt[]
  /** From the claim to the last recorded outcome. */
  readonly span: Span
} & (
  | { readonly kind: 'chunks'; readonly given: ClaimedChunk }
  | { readonly kind: 'due'; readonly given: ClaimedDeviceJobs }
)

/** A device of a claim. */
export interface Attempt {
  readonly deviceId: string
  /** 1 for the first. */
  readonly attempt: number
  /** How often the device certainly got the call before, and how often nobody knows whether it did. */
  readonly deliveries: number
  readonly unknownDeliveries: number
  /** How often the device has put the job off. */
  readonly notNows: number
  /** The first claim since the last recorded outcome. Before `claimedAt`: an earlier worker may have called the device. */
  readonly askedSince: Date
}

/** Whether an earlier worker may have called the device, and has recorded nothing. */
export function isTakenOver({ claimedAt }: Claim, attempt: Attempt): boolean {
  return attempt.askedSince < claimedAt
}

/** Two processes that know the time differ by this much at most. */
const clockErrorMs = 1_000

/** When the device may have been asked first, as another process would have seen it. */
export function askedSince(claim: Claim, attempt: Attempt): Date {
  const marginMs = isTakenOver(claim, attempt) ? clockErrorMs : 0
  return new Date(attempt.askedSince.getTime() - marginMs)
}
