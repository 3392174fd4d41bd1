import { type CallTarget, createWaits, type DeviceCall, type GatewayDoor, type Waits } from '@muster/bus'
import { limits } from '@muster/contract'
import { type Events, type HubClock, type Metrics, type Span, type Tracing, traceIdOf } from '@muster/runtime'
import { type CallOutcome, settleCall } from '../sessions/pending-call.ts'
import { type Session, send } from '../sessions/session.ts'
import { methodRequestTopic } from '../topics/topics.ts'
import { createCallMemory, type DeliveredCall } from './call-memory.ts'

type Undelivered = 'forgotten' | 'expired' | 'notOnline' | 'busy'

/** The last calls that were dropped. An ask for one of them may still be on its way. */
const droppedMax = 1_000
/** Of the devices of one call, so many have a span: enough to see where the time goes. */
const tracedMax = 10

/** The trace that a call belongs to, if any, and whether this device of it has a span. */
interface Traced {
  readonly traceId: string | undefined
  readonly hasSpan: boolean
}

interface Calls extends Pick<GatewayDoor, 'call' | 'dropCall'> {
  /** From now on no device gets a call: it is not online here. Resolves when no call waits for its answer. */
  drain(): Promise<void>
}

/**
 * Delivers direct methods to devices and modules that are connected here. Reports each delivery and exactly one result for each target,
 * in any order. The response timeout runs from the delivery.
 */
export function createCalls(options: {
  events: Pick<Events, 'methodInvoked'>
  metrics: Pick<Metrics, 'muster_mqtt_messages_total'>
  clock: HubClock
  tracing: Tracing
  find: (identity: string) => Session | undefined
}): Calls {
  const { events, metrics, clock, tracing, find } = options
  const nowMs = () => clock.now().getTime()
  const memory = createCallMemory(nowMs)
  const waits = createWaits()
  const dropped = new Set<string>()
  let awaited = 0
  let whenNoneIsAwaited: (() => void) | null = null

  /** The delivery that the target asks for, made now or before; or why there is none. */
  const deliver = (
    call: DeviceCall,
    { identity, delivery, askedSinceMs }: CallTarget,
    { traceId, hasSpan }: Traced,
  ): DeliveredCall | Undelivered => {
    const { callId, methodName, payload, responseTimeoutSeconds } = call
    const known = memory.find(identity, callId)
    if (known !== undefined && (known.delivery >= delivery || !known.isSettled)) return known

    const session = find(identity)
    if (askedSinceMs < memory.sinceMs()) return 'forgotten'
    if (!clock.isTrusted() || nowMs() >= call.deliverBeforeMs || dropped.has(callId)) return 'expired'
    if (whenNoneIsAwaited !== null || session === undefined || !acceptsMethod(session, methodName)) return 'notOnline'
    if (session.calls.size >= limits.methodsInFlight || session.calls.has(callId)) return 'busy'
    // A device that does not read has been cut.
    if (!send(session, methodRequestTopic(methodName, callId), payload)) return 'notOnline'
    metrics.muster_mqtt_messages_total.inc({ kind: 'methodCall' })

    const startedAtMs = performance.now()
    const span = hasSpan ? beginDelivery(tracing, call, identity) : null
    const delivered = memory.add(identity, callId, delivery)
    awaited += 1
    addCall(waits, session, callId, {
      settle(outcome) {
        awaited -= 1
        if (awaited === 0) whenNoneIsAwaited?.()
        const seconds = (performance.now() - startedAtMs) / 1000
        events.methodInvoked({ outcome: outcome.kind, seconds, traceId })
        endDelivery(span, outcome)
        delivered.settle(outcome)
      },
      timeoutMs: responseTimeoutSeconds * 1000,
    })
    return delivered
  }

  return {
    call(call, report) {
      const traceId = traceIdOf(call.traceparent ?? null)
      const begin = (target: CallTarget, no: number) => {
        const { identity } = target
        const delivered = deliver(call, target, { traceId, hasSpan: traceId !== undefined && no < tracedMax })
        if (typeof delivered === 'string') {
          events.methodInvoked({ outcome: delivered, seconds: 0, traceId })
          return report({ identity, kind: delivered })
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

    drain() {
      return new Promise((resolve) => {
        whenNoneIsAwaited = resolve
        if (awaited === 0) resolve()
      })
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

function beginDelivery(tracing: Tracing, { methodName, traceparent = null }: DeviceCall, identity: string): Span {
  const attributes = { 'muster.device.id': identity, 'muster.method': methodName }
  return tracing.begin('call device', { kind: 'client', parent: traceparent, attributes })
}

function endDelivery(span: Span | null, outcome: CallOutcome): void {
  if (outcome.kind === 'answered') span?.note({ 'muster.status': outcome.status })
  span?.end(outcome.kind === 'answered' ? undefined : outcome.kind)
}

function acceptsMethod(session: Session, methodName: string): boolean {
  return (
    session.isReady &&
    [...session.filters.values()].some(
      ({ filter }) => filter.kind === 'methods' && (filter.methodName === null || filter.methodName === methodName),
    )
  )
}
