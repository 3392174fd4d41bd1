import type { IdentityKey, JsonObject } from '@muster/contract'
import type { Clock, EndReason } from '@muster/runtime'
import type { Client } from 'aedes'
import pLimit, { type LimitFunction } from 'p-limit'
import type { Filter } from '../topics/topics.ts'
import type { PendingCall } from './pending-call.ts'

/** One live connection of a device or of a module. */
export interface Session {
  readonly identity: IdentityKey
  /** Fingerprints of the credentials that opened it, each of which is enough. */
  readonly fingerprints: readonly string[]
  /** It is not the first connection of its persistent session. */
  readonly isResumed: boolean
  /** Rises with each connection of the identity, on any gateway. The store ignores writes with an older number. */
  readonly connectionNo: number
  readonly client: Client
  /** The subscriptions of the device, by the text of the filter. */
  readonly filters: Map<string, { readonly filter: Filter; readonly qos: 0 | 1 }>
  /** Twin requests, desired notifications and changes of subscriptions, one after the other. */
  readonly inOrder: LimitFunction
  /** Direct methods that wait for their answer, by request id. */
  readonly calls: Map<string, PendingCall>
  /** Call it when the device has sent or received something. */
  readonly noteActivity: () => void
  /** When that last was. */
  lastActivityAt: Date
  /** Call it when the CONNACK is written, or will never be. The work in `inOrder` waits for it. */
  readonly markReady: () => void
  /** The CONNACK is written, so messages may follow. */
  isReady: boolean
  /** A change of the subscriptions that is going to be stored. */
  storing: Promise<void> | null
  /** The device knows the desired properties up to this version, or was not subscribed to them. */
  desiredVersion: number
  /** Desired patches that came before one of a lower version, by their version. */
  readonly overtaking: Map<number, JsonObject>
  /** The highest version that is known to exist, while a lower one is missing. */
  heardVersion: number
  /** Ends the wait for the missing one. */
  catchUp: NodeJS.Timeout | null
  endReason: EndReason | null
}

export function createSession(
  opened: Pick<Session, 'client' | 'identity' | 'fingerprints' | 'isResumed' | 'connectionNo' | 'desiredVersion'>,
  { clock, onActivity }: { clock: Clock; onActivity: (session: Session) => void },
): Session {
  let markReady = () => {}
  const ready = new Promise<void>((resolve) => {
    markReady = resolve
  })
  const inOrder = pLimit(1)
  void inOrder(() => ready)
  const session: Session = {
    ...opened,
    noteActivity() {
      session.lastActivityAt = clock.now()
      onActivity(session)
    },
    lastActivityAt: clock.now(),
    filters: new Map(),
    inOrder,
    calls: new Map(),
    markReady,
    isReady: false,
    storing: null,
    overtaking: new Map(),
    heardVersion: 0,
    catchUp: null,
    endReason: null,
  }
  return session
}

/** Cuts the connection, without a DISCONNECT. The first reason stays. */
export function endSession(session: Session, reason: EndReason): void {
  session.endReason ??= reason
  session.client.close()
}

/** A timer runs 24.8 days at most. A token may live longer; some live for thousands of years. */
const timerMsMax = 2 ** 31 - 1

/** Cuts the connection when its token or certificate expires. */
export function endAtExpiry(session: Session, expiresAtMs: number, clock: Clock): void {
  const leftMs = expiresAtMs - clock.now().getTime()
  if (leftMs <= 0) {
    endSession(session, 'expired')
    return
  }
  const timer = setTimeout(() => endAtExpiry(session, expiresAtMs, clock), Math.min(leftMs, timerMsMax))
  session.client.conn.once('close', () => clearTimeout(timer))
}

export function isSubscribed(session: Session, kind: Filter['kind']): boolean {
  return [...session.filters.values()].some(({ filter }) => filter.kind === kind)
}

/** Ten direct methods of the largest size, and half as much again. */
const unsentBytesMax = 2 * 1024 * 1024

/** Publishes to the device, at QoS 0. False: the device does not read, and is cut. */
export function send(session: Session, topic: string, payload: string): boolean {
  if (session.client.conn.writableLength > unsentBytesMax) {
    endSession(session, 'slow')
    return false
  }
  session.noteActivity()
  // A failed write ends the connection, which is noticed elsewhere.
  session.client.publish({ cmd: 'publish', topic, payload, qos: 0, dup: false, retain: false }, () => {})
  return true
}
