import { type CallTarget, createWaits, type DeviceCall, type GatewayDoor, type Waits } from '@muster/bus'
import { limits } from '@muster/contract'
import type { Events, HubClock } from '@muster/runtime'
import { type CallOutcome, settleCall } from '../sessions/pending-call.ts'
import { type Session, send } from '../sessions/session.ts'
import { methodRequestTopic } from '../topics/topics.ts'
import { createCallMemory } from './call-memory.ts'

/** The last calls that were dropped. An ask for one of them may still be on its way. */
const droppedMax = 1_000

/**
 * Delivers direct methods to devices and modules that are connected here. Reports each delivery and exactly one result for each target,
 * in any order. The response timeout runs from the delivery.
 */
export function createCalls(options: {
  events: Pick<Events, 'methodInvoked'>
  clock: HubClock
  find: (identity: string) => Session | undefined
}): Pick<GatewayDoor, 'call' | 'dropCall'> {
  const { events, clock, find } = options
  const nowMs = () => clock.now().getTime()
  const memory = createCallMemory(nowMs)
  const waits = createWaits()
  const dropped = new Set<string>()

  /** Why the call must not be delivered now. Null: deliver it. */
  const refusal = (call: DeviceCall, { askedSinceMs }: CallTarget, session: Session | undefined) => {
    if (askedSinceMs < memory.sinceMs()) return 'forgotten'
    if (!clock.isTrusted() || nowMs() >= call.deliverBeforeMs || dropped.has(call.callId)) return 'expired'
    if (session === undefined || !acceptsMethod(session, call.methodName)) return 'notOnline'
    return session.calls.size >= limits.methodsInFlight || session.calls.has(call.callId) ? 'busy' : null
  }

  /** False: the device does not read, and its connection has been cut. */
  const deliver = (session: Session, call: DeviceCall, { identity, delivery }: CallTarget): boolean => {
    const { callId, methodName, payload, responseTimeoutSeconds } = call
    if (!send(session, methodRequestTopic(methodName, callId), payload)) return false
    const startedAtMs = performance.now()
    const settle = memory.add(identity, callId, delivery)
    addCall(waits, session, callId, {
      settle(outcome) {
        events.methodInvoked({ outcome: outcome.kind, seconds: (performance.now() - startedAtMs) / 1000 })
        settle(outcome)
      },
      timeoutMs: responseTimeoutSeconds * 1000,
    })
    return true
  }

  /** Why the device does not get the call. Null: it has it, now or since before. */
  const attempt = (call: DeviceCall, target: CallTarget) => {
    const known = memory.find(target.identity, call.callId)
    if (known !== undefined && (known.delivery >= target.delivery || known.outcome === null)) return null
    const session = find(target.identity)
    const kind = refusal(call, target, session)
    if (kind !== null || session === undefined) return kind ?? 'notOnline'
    return deliver(session, call, target) ? null : 'notOnline'
  }

  return {
    call(call, report) {
      const begin = (target: CallTarget) => {
        const { identity } = target
        const kind = attempt(call, target)
        const delivered = memory.find(identity, call.callId)
        if (kind !== null || delivered === undefined) {
          const undelivered = kind ?? 'forgotten'
          events.methodInvoked({ outcome: undelivered, seconds: 0 })
          return report({ identity, kind: undelivered })
        }
        const { deliveredAtMs } = delivered
        report({ identity, kind: 'delivered', deliveredAtMs })
        delivered.follow((outcome) => report({ identity, deliveredAtMs, ...outcome }))
      }
      // Not before what else has come in is read: it may be the word that the call is dropped.
      setImmediate(() => call.targets.forEach(begin))
    },

    dropCall(callId) {
      dropped.add(callId)
      const [oldest] = dropped
      if (oldest !== undefined && dropped.size > droppedMax) dropped.delete(oldest)
    },
  }
}

function addCall(
  waits: Waits,
  session: Session,
  rid: string,
  { settle, timeoutMs }: { settle: (outcome: CallOutcome) => void; timeoutMs: number },
): void {
  const cancelWait = waits.start(timeoutMs, () => settleCall(session.calls, rid, { kind: 'noAnswer' }))
  session.calls.set(rid, {
    settle(outcome) {
      cancelWait()
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
