import type { ConnectionClose } from '@muster/bus'
import { HubError } from '@muster/contract'
import { type OpenedSession, openSession, type Subscription } from '@muster/store'
import type { Client } from 'aedes'
import type { Admission } from './authenticate.ts'
import { settleCall } from './calls.ts'
import { aliasOf } from './filter-alias.ts'
import type { Gateway } from './gateway.ts'
import { createRecords, type Records } from './records.ts'
import type { RefusalReason } from './refusal.ts'
import { createSession, endAtExpiry, endSession, isSubscribed, type Session } from './session.ts'
import { parseFilter } from './topics.ts'

/** The connections that this gateway holds: one for each device, and one for each module. */
export interface Sessions {
  /** Makes an authenticated client the identity's connection, and ends the one before it. Null: it is open. */
  open(client: Client, admitted: Admission): Promise<RefusalReason | null>
  /** To be called when the CONNACK is written. */
  ready(client: Client): void
  /** Of a client that has been opened, also after its end. */
  of(client: Client): Session | undefined
  find(identity: string): Session | undefined
  /** As aedes knows them. */
  subscriptionsOf(identity: string): Subscription[]
  /** Ends the connection of an identity, unless it is a newer one than was meant. */
  close(close: ConnectionClose): void
  /** Has every connection compared with what Postgres knows. */
  confirm(): void
  /** Ends every connection. Resolves when what they were doing in Postgres is done. */
  shutDown(): Promise<void>
  readonly records: Records<Session>
}

/** The connections themselves. */
interface Held {
  readonly live: Map<string, Session>
  readonly byClient: WeakMap<Client, Session>
  readonly records: Records<Session>
}

export function createSessions(
  gateway: Gateway,
  onConfirmed: (session: Session, found: { desiredVersion: number }) => void,
): Sessions {
  const live = new Map<string, Session>()
  const byClient = new WeakMap<Client, Session>()
  const records = createRecords<Session>(gateway, {
    isHeld: (session) => live.get(session.identity) === session,
    onConfirmed,
    onRefuted: (session) => endSession(session, 'stale'),
  })
  const held = { live, byClient, records }

  return {
    records,
    open: (client, admitted) => open(gateway, held, client, admitted),
    of: (client) => byClient.get(client),
    find: (identity) => live.get(identity),
    subscriptionsOf: (identity) =>
      [...(live.get(identity)?.filters ?? [])].map(([topic, { qos }], index) => ({
        topic: aliasOf(topic, index),
        qos,
      })),

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
      endSession(session, reason)
    },

    confirm() {
      for (const session of live.values()) records.unconfirmed.add(session)
    },

    async shutDown() {
      const sessions = [...live.values()]
      for (const session of sessions) endSession(session, 'shutdown')
      await Promise.all(sessions.map((session) => session.inOrder(() => {})))
    },
  }
}

async function open(gateway: Gateway, held: Held, client: Client, admitted: Admission): Promise<RefusalReason | null> {
  const { identity, expiresAtMs } = admitted
  const { db, bus, clock, gatewayId, statements } = gateway
  const { live, records } = held
  const connection = { identity, gatewayId, clean: client.clean }
  const opened = await statements(() => openSession(db, connection, clock.now())).catch(ifDeleted)
  if (opened === null) return 'unknown'

  const { connectionNo, takenOver } = opened
  const current = live.get(identity)
  const isOutdated = current !== undefined && current.connectionNo > connectionNo
  if (client.closed || isOutdated) {
    records.closed.add({ identity, connectionNo })
    return isOutdated ? 'takeover' : 'gone'
  }
  if (current !== undefined) endSession(current, 'takeover')
  // A gateway that does not hear of it finds out when it confirms its connections.
  if (takenOver !== null) {
    void bus.closeConnection(takenOver, { identity, connectionNo: connectionNo - 1, reason: 'takeover' })
  }

  const session = restore(client, admitted, opened, records)
  live.set(identity, session)
  held.byClient.set(client, session)
  client.conn.once('close', () => ended(gateway, held, session))
  endAtExpiry(session, expiresAtMs, clock)
  gateway.events.deviceConnected({ deviceId: identity })
  // It may have been disabled, or taken over again, since it was read.
  records.unconfirmed.add(session)
  return null
}

function restore(
  client: Client,
  { identity, authenticationHash }: Admission,
  opened: OpenedSession,
  { active }: Held['records'],
): Session {
  const { connectionNo, desiredVersion, subscriptions } = opened
  const noteActivity = () => active.add(identity)
  const session = createSession({ client, identity, authenticationHash, connectionNo, desiredVersion, noteActivity })
  for (const { topic, qos } of subscriptions) {
    const filter = parseFilter(topic, identity)
    if (filter !== null) session.filters.set(topic, { filter, qos })
  }
  return session
}

function ended({ events }: Gateway, { live, records }: Held, session: Session): void {
  const { identity } = session
  const reason = session.endReason ?? 'lost'
  session.endReason = reason
  session.markReady()
  if (live.get(identity) === session) live.delete(identity)
  for (const rid of [...session.calls.keys()]) settleCall(session, rid, { kind: 'connectionLost' })
  events.deviceDisconnected({ deviceId: identity, reason })
  // Whoever took over has said it already, and at a shutdown one statement says it of all.
  if (reason !== 'takeover' && reason !== 'shutdown') records.closed.add(session)
}

function ifDeleted(error: unknown): null {
  if (error instanceof HubError && (error.code === 'DeviceNotFound' || error.code === 'ModuleNotFound')) return null
  throw error
}
