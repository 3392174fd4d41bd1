import { randomInt } from 'node:crypto'
import type { CallResult, DeviceCall } from '@muster/bus'
import { limits } from '@muster/contract'
import type { Events } from '@muster/runtime'
import { type CallOutcome, settleCall } from '../sessions/pending-call.ts'
import { type Session, send } from '../sessions/session.ts'
import { methodRequestTopic } from '../topics/topics.ts'

/**
 * Delivers direct methods to devices and modules that are connected here. Reports exactly one result for each, in any order, before
 * the response timeout ends. The timeout runs from now.
 */
export function createCalls(options: {
  events: Pick<Events, 'methodInvoked'>
  find: (identity: string) => Session | undefined
}): (call: DeviceCall, report: (result: CallResult) => void) => void {
  const { events, find } = options
  // Not from zero: a late answer for a process that is gone must not look like an answer for this process.
  let lastNo = randomInt(2 ** 40)

  return ({ identities, methodName, payload, responseTimeoutSeconds }, report) => {
    const startedAtMs = performance.now()
    const text = JSON.stringify(payload)

    for (const identity of new Set(identities)) {
      const settle = (outcome: CallOutcome) => {
        events.methodInvoked({ outcome: outcome.kind, seconds: (performance.now() - startedAtMs) / 1000 })
        report({ identity, ...outcome })
      }
      const session = find(identity)
      if (session === undefined || !acceptsMethod(session, methodName)) {
        settle({ kind: 'notOnline' })
        continue
      }
      if (session.calls.size >= limits.methodsInFlight) {
        settle({ kind: 'busy' })
        continue
      }
      lastNo += 1
      const rid = lastNo.toString(16)
      addCall(session, rid, { settle, timeoutMs: responseTimeoutSeconds * 1000 })
      send(session, methodRequestTopic(methodName, rid), text)
    }
  }
}

function addCall(
  session: Session,
  rid: string,
  { settle, timeoutMs }: { settle: (outcome: CallOutcome) => void; timeoutMs: number },
): void {
  // A timer per call is cheap: in Node, timers of the same duration share a list.
  const timer = setTimeout(() => settleCall(session.calls, rid, { kind: 'noAnswer' }), timeoutMs)
  session.calls.set(rid, {
    settle(outcome) {
      clearTimeout(timer)
      settle(outcome)
    },
  })
}

function acceptsMethod(session: Session, methodName: string): boolean {
  return (
    session.isReady &&
    [...session.filters.values()].some(
      ({ filter }) => filter.kind === 'methods' && (filter.methodName === null || filter.methodName === methodName),
    )
  )
}
