import type { ConnectionClose } from '@muster/bus'
import { HubError } from '@muster/contract'
import { orAborted } from '@muster/runtime'
import { type OpenedSession, openSession, type Subscription } from '@muster/store'
import type { Client } from 'aedes'
import type { Admission } from '../admission/authenticate.ts'
import type { RefusalReason } from '../admission/refusal.ts'
import type { Gateway } from '../gateway.ts'
import { aliasOf } from '../topics/filter-alias.ts'
import { parseFilter } from '../topics/topics.ts'
import { settleCall } from './pending-call.ts'
import { createRecords, type Records } from './records.ts'
import { createSession, endAtExpiry, endSession, isSubscribed, type Session } from './session.ts'

/** The connections that this gateway holds: one for each device, and one for each module. */
export interface Sessions {
  /** Makes an authenticated client the connection of the identity, and ends the one before it. Null: it is open. */
  open(client: Client, admitted: Admission): Promise<RefusalReason | null>
  /** Call it when the CONNACK is written. */
  ready(client: Client): void
  /** The session of an opened client, also after its end. */
  of(client: Client): Session | undefined
  find(identity: string): Session | undefined
  /** As aedes knows them. */
  subscriptionsOf(identity: string): Subscription[]
  /** Ends the connection of an identity, unless it is newer than `close` says, or its credentials are still good. */
  close(close: ConnectionClose): void
  /** Compares every connection with Postgres. */
  confirm(): void
  /** Ends every connection. Resolves when their work in Postgres is done. */
  shutDown(): Promise<void>
  readonly records: Records<Session>
}

/** The state of the connections. */
interface Held {
  readonly live: Map<string, Session>
  readonly byClient: WeakMap<Client, Session>
  readonly records: Records<Session>
  /** Resolves when the work that a connection had when it ended is done. The latest one of each identity. */
  readonly finishing: Map<string, Promise<void>>
  /** Resolves when the latest opening of a connection of an identity has succeeded or failed. */
  readonly opening: Map<string, Promise<void>>
}

/** [MQTT-3.2.2-2] aedes sets SessionPresent when it gives a subscription back, even one that is not granted. */
const emptySession = { topic: aliasOf('', 0), qos: 0 } as const

/** Time for the 32 requests that an ended connection may have left, while Postgres is busy. Half of the time for a CONNECT. */
const finishMsMax = 5_000

export function createSessions(
  gateway: Gateway,
  onConfirmed: (session: Session, found: { desiredVersion: number }) => void,
): Sessions {
  const live = new Map<string, Session>()
  const byClient = new WeakMap<Client, Session>()
  const records = createRecords<Session>(gateway, {
    isHeld: (session) => live.get(session.identity) === session,
    onConfirmed,
    onRefuted: endSession,
  })
  const finishing = new Map<string, Promise<void>>()
  const held = { live, byClient, records, finishing, opening: new Map<string, Promise<void>>() }

  return {
    records,
    open: (client, admitted) => open(gateway, held, client, admitted),
    of: (client) => byClient.get(client),
    find: (identity) => live.get(identity),
    subscriptionsOf(identity) {
      const session = live.get(identity)
      if (session === undefined) return []
      if (session.isResumed && session.filters.size === 0) return [emptySession]
      return [...session.filters].map(([topic, { qos }], index) => ({ topic: aliasOf(topic, index), qos }))
    },

    ready(client) {
      const session = byClient.get(client)
      if (session === undefined) return
      session.isReady = true
      session.markReady()
      if (isSubscribed(session, 'methods')) records.reachable.add(session.identity)
    },

    close({ identity, connectionNo, reason }) {
      const session = live.get(identity)
      if (session === undefined || session.connectionNo > (connectionNo ?? Number.POSITIVE_INFINITY)) return
      // Only Postgres knows which credentials have changed.
      if (reason === 'rekeyed') records.doubted.add(session)
      else endSession(session, reason)
    },

    confirm() {
      for (const session of live.values()) records.unconfirmed.add(session)
    },

    async shutDown() {
      const sessions = [...live.values()]
      for (const session of sessions) endSession(session, 'shutdown')
      await Promise.all([...sessions.map(finished), ...finishing.values()])
    },
  }
}

async function open(gateway: Gateway, held: Held, client: Client, admitted: Admission): Promise<RefusalReason | null> {
  const { identity, modelId, expiresAtMs } = admitted
  const { db, bus, clock, gatewayId, statements } = gateway
  const { live, records, finishing } = held
  const former = finishing.get(identity)
  // From here on, the rest of the work of the former connection is outdated.
  if (former !== undefined) await orAborted(former, AbortSignal.timeout(finishMsMax))
  const connection = { identity, gatewayId, clean: client.clean, modelId }
  const opened = await openInTurn(held, identity, async () =>
    client.closed ? 'gone' : statements(() => openSession(db, connection, clock.now())).catch(ifDeleted),
  )
  if (typeof opened === 'string') return opened

  const { connectionNo, takenOver } = opened
  const current = live.get(identity)
  const isOutdated = current !== undefined && current.connectionNo > connectionNo
  // Older connections have ended, even if this one fails. A gateway that misses this learns it when it confirms its connections.
  if (current !== undefined && !isOutdated) endSession(current, 'takeover')
  if (takenOver !== null) {
    void bus.closeConnection(takenOver, { identity, connectionNo: connectionNo - 1, reason: 'takeover' })
  }
  if (client.closed || isOutdated) {
    records.closed.add({ identity, connectionNo })
    return isOutdated ? 'takeover' : 'gone'
  }

  const session = restore(client, admitted, opened, records)
  live.set(identity, session)
  held.byClient.set(client, session)
  client.conn.once('close', () => ended(gateway, held, session))
  endAtExpiry(session, expiresAtMs, clock)
  gateway.events.deviceConnected({ deviceId: identity })
  // Since it was read, the identity may have been disabled, got other keys, or been taken over again.
  records.doubted.add(session)
  return null
}

/**
 * Connections of one identity are opened one after the other. One that took so long that its device was refused must not take the
 * session from the next one.
 */
function openInTurn<Value>({ opening }: Held, identity: string, open: () => Promise<Value>): Promise<Value> {
  const opened = (opening.get(identity) ?? Promise.resolve()).then(open)
  const settled = opened.then(
    () => {},
    () => {},
  )
  keepLatest(opening, identity, settled)
  return opened
}

/** Keeps the work under the identity until it resolves, unless later work has replaced it. */
function keepLatest(latest: Map<string, Promise<void>>, identity: string, work: Promise<void>): void {
  latest.set(identity, work)
  void work.then(() => latest.get(identity) === work && latest.delete(identity))
}

function restore(
  client: Client,
  { identity, fingerprints }: Admission,
  opened: OpenedSession,
  { active }: Held['records'],
): Session {
  const { subscriptions, connectionNo, isResumed, desiredVersion } = opened
  const noteActivity = () => active.add(identity)
  const known = { client, identity, fingerprints, connectionNo, isResumed, desiredVersion, noteActivity }
  const session = createSession(known)
  for (const { topic, qos } of subscriptions) {
    const filter = parseFilter(topic, identity)
    if (filter !== null) session.filters.set(topic, { filter, qos })
  }
  return session
}

function ended({ events }: Gateway, { live, records, finishing }: Held, session: Session): void {
  const { identity } = session
  const reason = session.endReason ?? 'lost'
  session.endReason = reason
  session.markReady()
  if (live.get(identity) === session) live.delete(identity)
  keepLatest(finishing, identity, finished(session))
  const kind = reason === 'takeover' ? 'takenOver' : 'connectionLost'
  for (const rid of [...session.calls.keys()]) settleCall(session.calls, rid, { kind })
  events.deviceDisconnected({ deviceId: identity, reason })
  // After a takeover the new connection has written it, and at a shutdown one statement writes it for all.
  if (reason !== 'takeover' && reason !== 'shutdown') records.closed.add(session)
}

/** Resolves when all work in `inOrder` is done. */
function finished(session: Session): Promise<void> {
  return session.inOrder(() => {})
}

function ifDeleted(error: unknown): 'unknown' {
  if (error instanceof HubError && (error.code === 'DeviceNotFound' || error.code === 'ModuleNotFound'))
    return 'unknown'
  throw error
}
