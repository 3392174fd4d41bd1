import { type AbortCriterion, type FailureType, hundredthsOf, type StageAbort } from '@muster/contract'

/** Devices that have ended, of a stage or of a whole job. */
export interface Executed {
  readonly succeeded: number
  readonly failed: number
  /** Those that failed, by the code of the error. Null: not counted. */
  readonly byCode: ReadonlyMap<string, number> | null
}

/** A condition by which a job stops. It is of a stage, or of the job as a whole. */
export interface StopRule {
  readonly action: 'pause' | 'cancel'
  /** Which failures count. Null: all. */
  readonly isCounted: ((code: string) => boolean) | null
  /** How the reason calls them. */
  readonly words: string
  /** Of the devices that succeeded or failed. Null: it goes by `count`. */
  readonly percent: number | null
  readonly count: number | null
  /** Before so many have succeeded or failed it does not look. */
  readonly leastExecuted: number
}

export function ruleOfCriterion(criterion: AbortCriterion): StopRule {
  const { failureType, thresholdPercentage, minNumberOfExecuted, action = 'pause' } = criterion
  return {
    action,
    isCounted: countedBy[failureType],
    words: wordsOf[failureType],
    percent: thresholdPercentage,
    count: null,
    leastExecuted: minNumberOfExecuted,
  }
}

export function ruleOfStage({ failurePercent, failureCount, minEnded, codes, action = 'pause' }: StageAbort): StopRule {
  const counted = codes === undefined ? null : new Set<string>(codes)
  return {
    action,
    isCounted: counted === null ? null : (code) => counted.has(code),
    words: codes === undefined ? 'failed' : `failed with ${codes.join(' or ')}`,
    percent: failurePercent ?? null,
    count: failureCount ?? null,
    leastExecuted: minEnded ?? 1,
  }
}

/**
 * Why a job stops by a rule, with exact numbers. Null: it does not. Without `byCode` every failure counts: then null is an answer for a
 * rule that counts some of them only, and a reason is not.
 */
export function stopReason(rule: StopRule, { succeeded, failed, byCode }: Executed): string | null {
  const executed = succeeded + failed
  const { isCounted, words, percent, count, leastExecuted } = rule
  const counted = isCounted === null || byCode === null ? failed : countOf(byCode, isCounted)
  if (executed === 0 || executed < leastExecuted) return null
  const text = `${counted} of ${executed} devices ${words}`
  if (percent === null) return count !== null && counted >= count ? `${text}; at ${count} the job stops` : null
  if (counted * 10_000 < hundredthsOf(percent) * executed) return null
  return `${text}, ${((counted / executed) * 100).toFixed(2)} %; at ${percent} % the job stops`
}

const timedOut: readonly string[] = ['GatewayTimeout', 'JobRunPreconditionFailed']
const rejected: readonly string[] = ['GenericBadGateway', 'ArgumentInvalid', 'DeviceNotFound']

const countedBy: Record<FailureType, StopRule['isCounted']> = {
  all: null,
  timedOut: (code) => timedOut.includes(code),
  rejected: (code) => rejected.includes(code),
  failed: (code) => !timedOut.includes(code) && !rejected.includes(code),
}

const wordsOf: Record<FailureType, string> = {
  all: 'failed',
  timedOut: 'timed out',
  rejected: 'were rejected',
  failed: 'failed, without those that timed out or were rejected',
}

function countOf(byCode: ReadonlyMap<string, number>, isCounted: (code: string) => boolean): number {
  return [...byCode].reduce((sum, [code, count]) => sum + (isCounted(code) ? count : 0), 0)
}
