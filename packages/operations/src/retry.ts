import type { CallResult } from '@muster/bus'
import { clip, type Extensions, isJsonObject, type JsonObject, type KeptAttempt } from '@muster/contract'
import type { DeviceOperation, Outcome } from './operation.ts'

type Retry = NonNullable<Extensions['retry']>

/** What is known of a device job when a call of it has ended. */
export interface Tries {
  /** Earlier calls that may have reached the device. */
  readonly calls: number
  /** How many of them the device has put off. */
  readonly notNows: number
  readonly now: Date
  /** The end of the window of the job. */
  readonly deadlineAt: Date
  /** In [0, 1). */
  readonly random: number
}

/** So often a device may put its job off. After that such an answer is one like any other. */
export const notNowsMax = 100

/**
 * What follows from the end of a call of a job: the outcome of its operation, or another call later if `retry` asks for one and it would
 * start inside the window. `kept`: the call for the row of the device, if the job has `retry`; null when it certainly did not reach the
 * device.
 */
export function decideCall(
  operation: DeviceOperation,
  result: CallResult,
  { body, extensions: { retry } }: { readonly body: JsonObject; readonly extensions: Extensions },
  tries: Tries,
): { readonly outcome: Outcome; readonly kept: KeptAttempt | null } {
  const outcome = operation.decide(result, body)
  if (retry === undefined) return { outcome, kept: null }
  const wait = waitBefore(retry, { result, outcome }, tries)
  const isInside = wait !== null && tries.now.getTime() + wait.afterMs < tries.deadlineAt.getTime()
  return { outcome: isInside ? { kind: 'retry', ...wait } : outcome, kept: keptOf(operation, result, tries.now) }
}

/** Whether a call of which nobody knows what came of it is repeated. Its error has a code, and it has a name of its own. */
export function isRetriedUnknown({ on = [] }: Retry): boolean {
  return on.includes('unknownOutcome') || on.includes('DeviceConnectionClosedRemotely')
}

function waitBefore(
  retry: Retry,
  ended: { readonly result: CallResult; readonly outcome: Outcome },
  { calls, notNows, random }: Tries,
): { readonly afterMs: number; readonly isNotNow?: boolean } | null {
  const askedMs = retry.deviceSays === true && notNows < notNowsMax ? askedWaitMs(ended.result) : null
  if (askedMs !== null) return { afterMs: askedMs, isNotNow: true }
  const counted = calls - notNows + 1
  if (counted >= (retry.maxAttempts ?? 1) || !isRetried(retry, ended)) return null
  return { afterMs: backoffMs(retry.backoff ?? {}, counted, random) }
}

const secondsMax = 86_400

/** How long the device asks to wait. Null: it does not. */
function askedWaitMs(result: CallResult): number | null {
  if (result.kind !== 'answered' || result.status !== 503) return null
  const payload: unknown = JSON.parse(result.payload)
  const seconds = isJsonObject(payload) ? payload.retryAfterSeconds : undefined
  return typeof seconds === 'number' && seconds >= 1 && seconds <= secondsMax ? Math.ceil(seconds * 1000) : null
}

/** The device itself has said that it failed. */
const retriedByDefault: readonly string[] = ['5xx']

function isRetried(
  retry: Retry,
  { result, outcome }: { readonly result: CallResult; readonly outcome: Outcome },
): boolean {
  const { on = retriedByDefault } = retry
  if (result.kind === 'answered') return on.includes(`${result.status}`) || on.includes(rangeOf(result.status))
  if (outcome.kind !== 'failed') return false
  const { code } = outcome.error
  return code === 'DeviceConnectionClosedRemotely' ? isRetriedUnknown(retry) : on.includes(code)
}

function rangeOf(status: number): string {
  return `${Math.floor(status / 100)}xx`
}

/** After call number `counted`, 1 for the first. With full jitter any part of it, so that devices that failed together come back apart. */
function backoffMs(
  { initialSeconds = 30, multiplier = 2, maxSeconds = 3600, jitter = 'full' }: NonNullable<Retry['backoff']>,
  counted: number,
  random: number,
): number {
  const seconds = Math.min(maxSeconds, initialSeconds * multiplier ** (counted - 1))
  return Math.round(1000 * seconds * (jitter === 'full' ? random : 1))
}

/** Without the wish of the job for another call, what certainly did not reach the device is all that is repeated. */
function keptOf(operation: DeviceOperation, result: CallResult, now: Date): KeptAttempt | null {
  const time = now.toISOString()
  if (result.kind === 'answered') return { time, status: result.status, text: storable(result.payload) }
  const outcome = operation.decide(result, {})
  if (outcome.kind !== 'failed') return null
  return { time, code: outcome.error.code, text: storable(outcome.error.description) }
}

const textLength = 200

/** As jsonb can hold it. */
function storable(text: string): string {
  return clip(text, textLength).toWellFormed().replaceAll('\0', '\ufffd')
}
