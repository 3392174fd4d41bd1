import type { CallResult } from '@muster/bus'

/** The result of a direct method. The caller knows on whom it was called. */
export type CallOutcome = WithoutIdentity<CallResult>
type WithoutIdentity<Result> = Result extends unknown ? Omit<Result, 'identity'> : never

/** A direct method that was delivered and waits for its answer. */
export interface PendingCall {
  settle(outcome: CallOutcome): void
}

/** Ends a pending call, once. An answer that is unknown, late or repeated changes nothing. */
export function settleCall(calls: Map<string, PendingCall>, rid: string, outcome: CallOutcome): void {
  const pending = calls.get(rid)
  calls.delete(rid)
  pending?.settle(outcome)
}
