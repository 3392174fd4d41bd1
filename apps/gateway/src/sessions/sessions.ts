import type { ConnectionClose } from '@muster/bus'
import { HubError } from '@muster/contract'
import { orAborted } from '@muster/runtime'
import {
  type NewConnection,
  type OpenedSession,
  openSession,
  openSessions,
  type Subscription,
  setModelId,
} from '@muster/store'
import type { Client } from 'aedes'
import type { Admission } from '../admission/authenticate.ts'
import type { RefusalReason } from '../admission/refusal.ts'
import { type Ask, askInSets } from '../ask-in-sets.ts'
import type { Gateway } from '../gateway.ts'
import { aliasOf } from '../topics/filter-alias.ts'
import { parseFilter } from '../topics/topics.ts'
import { settleCall } from './pending-call.ts'
import { createRecords, type Records } from './records.ts'
import { createSession, endAtExpiry, endSession, isSubscribed, type Session } from './session.ts'

/** The connections that this gateway holds: one for each device, and one for each module. */
export interface Sessions {
  /**
   * Makes an authenticated client the connection of the identity, and ends the one before it. Null: it is open. A client that is not
   * `awaited` any more when its turn comes is not opened.
   */
  open(client: Client, admitted: Admission, awaited: Awaited): Promise<RefusalReason | null>
  /** Call it when the CONNACK is written. */
  ready(client: Client): void
  /** The session of an opened client, also after its end. */
  of(client: Client): Session | undefined
  find(identity: string): Session | undefined
  /** How many connections this gateway holds. */
  count(): number
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

/** Whether somebody still waits for an answer. */
export type Awaited = () => boolean

/** A connection that is to be opened. */
interface Opening extends NewConnection {
  readonly isAwaited: Awaited
}

/** The state of the connections. */
interface Held {
  /** Null: it was not opened with the others, because somebody has locked or deleted it. */
  readonly openWithOthers: Ask<Opening, OpenedSession | 'gone' | null>
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

/** Connections of one statement: many, so that a fleet that comes back costs few, but few enough for tens of milliseconds. */
const setSize = 500

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
  const openWithOthers = createOpener(gateway)
  const held = { openWithOthers, live, byClient, records, finishing, opening: new Map<string, Promise<void>>() }

  return {
    records,
    open: (client, admitted, isAwaited) => open(gateway, held, client, { ...admitted, isAwaited }),
    of: (client) => byClient.get(client),
    find: (identity) => live.get(identity),
    count: () => live.size,
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

function createOpener({ db, clock, gatewayId, statements }: Gateway): Held['openWithOthers'] {
  return askInSets<Opening, OpenedSession | 'gone' | null>(
    async (openings) => {
      const opened = await statements(() => openSessions(db, gatewayId, openings, clock.now()))
      const byIdentity = new Map(opened.map((session) => [session.identity, session]))
      return ({ identity }) => byIdentity.get(identity) ?? null
    },
    { setSize, isWanted: ({ isAwaited }) => isAwaited(), unasked: 'gone' },
  )
}

async function open(
  gateway: Gateway,
  held: Held,
  client: Client,
  admitted: Admission & { readonly isAwaited: Awaited },
): Promise<RefusalReason | null> {
  const { identity, expiresAtMs } = admitted
  const { bus, clock } = gateway
  const { live, records, finishing } = held
  const former = finishing.get(identity)
  // From here on, the rest of the work of the former connection is outdated.
  if (former !== undefined) await orAborted(former, AbortSignal.timeout(finishMsMax))
  const opened = await openInTurn(held, identity, () => openOne(gateway, held, client, admitted))
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
    records.closed.add({ identity, connectionNo, lastActivityAt: clock.now() })
    return isOutdated ? 'takeover' : 'gone'
  }

  const session = restore(gateway, client, admitted, { opened, records })
  live.set(identity, session)
  held.byClient.set(client, session)
  client.conn.once('close', () => ended(gateway, held, session))
  endAtExpiry(session, expiresAtMs, clock)
  gateway.events.deviceConnected({ deviceId: identity })
  // Since it was read, the identity may have been disabled, got other keys, or been taken over again.
  records.doubted.add(session)
  return null
}

/** Together with those that come at the same time if it can be; one that somebody has locked is waited for alone. */
async function openOne(
  { db, clock, gatewayId, statements }: Gateway,
  { openWithOthers }: Held,
  { clean }: Client,
  { identity, modelId, isAwaited }: Admission & { readonly isAwaited: Awaited },
): Promise<OpenedSession | 'gone' | 'unknown'> {
  const opened = await openWithOthers({ identity, clean, isAwaited })
  if (opened === null) {
    const connection = { identity, gatewayId, clean, modelId }
    return statements(async () => (isAwaited() ? openSession(db, connection, clock.now()) : 'gone')).catch(ifDeleted)
  }
  if (opened !== 'gone' && modelId !== null && modelId !== opened.modelId) {
    await statements(() => setModelId(db, identity, modelId))
  }
  return opened
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
  { clock }: Gateway,
  client: Client,
  { identity, fingerprints }: Admission,
  { opened, records }: { opened: OpenedSession; records: Records<Session> },
): Session {
  const { subscriptions, connectionNo, isResumed, desiredVersion } = opened
  const known = { client, identity, fingerprints, connectionNo, isResumed, desiredVersion }
  const session = createSession(known, { clock, onActivity: records.activity.note })
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
  // At a shutdown one statement writes the end for all, after their activity.
  if (reason === 'shutdown') return
  records.activity.forget(session)
  // After a takeover the new connection has written it.
  if (reason !== 'takeover') records.closed.add(session)
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
