import type { IdentityKey } from '@muster/contract'
import type { GatewayStep } from '@muster/runtime'
import { closeSession, confirmSessions, markReachable, recordActivity } from '@muster/store'
import type { Gateway } from '../gateway.ts'
import { type GroupCommit, groupCommit } from './group-commit.ts'

/** Rows of one statement: many, so that there are few statements, but few enough to hold their locks for milliseconds only. */
const setSize = 1_000
/** How often the activity of a device that sends all the time is written. */
const activityRestMs = 50

interface ConnectionRef {
  readonly identity: IdentityKey
  readonly connectionNo: number
}

/** A connection that is to be compared with Postgres. */
export interface HeldConnection extends ConnectionRef {
  readonly fingerprints: readonly string[]
}

/** Writes about connections to Postgres, in sets, so that a fleet that comes back at once costs few statements. */
export interface Records<Connection extends HeldConnection> {
  /** The device or module has sent or received something. */
  readonly active: GroupCommit<IdentityKey>
  /** The device can get methods. Add it after its subscription is committed, or a job may miss it. */
  readonly reachable: GroupCommit<IdentityKey>
  /** The connection has ended. */
  readonly closed: GroupCommit<ConnectionRef>
  /** The connection is to be compared with Postgres. */
  readonly unconfirmed: GroupCommit<Connection>
  /** The same for a connection that may have to end: it does not wait for others. */
  readonly doubted: GroupCommit<Connection>
  /** Writes the rest, until the deadline aborts. */
  stop(deadline: AbortSignal): Promise<void>
}

export function createRecords<Connection extends HeldConnection>(
  gateway: Gateway,
  {
    onConfirmed,
    onRefuted,
    isHeld,
  }: {
    onConfirmed: (connection: Connection, found: { desiredVersion: number }) => void
    onRefuted: (connection: Connection, reason: 'stale' | 'rekeyed') => void
    isHeld: (connection: Connection) => boolean
  },
): Records<Connection> {
  const { db, bus, clock, events, gatewayId, statements } = gateway
  const options = (step: GatewayStep) => ({
    setSize,
    onError: (error: unknown) => events.gatewayFailed({ step, error }),
  })

  const active = groupCommit<IdentityKey>(
    async (identities) => {
      await statements(() => recordActivity(db, gatewayId, identities, clock.now()))
    },
    { ...options('recordActivity'), restMs: activityRestMs },
  )

  const reachable = groupCommit<IdentityKey>(async (identities) => {
    const keys = await statements(() => markReachable(db, identities, clock.now()))
    // A sweep repairs a lost wake-up.
    for (const key of keys) void bus.wakeDue(key).then((isTaken) => isTaken || events.wakeUpLost({ kind: 'due' }))
  }, options('markReachable'))

  const closed = groupCommit<ConnectionRef>(async (connections) => {
    await Promise.all(
      connections.map(({ identity, connectionNo }) =>
        statements(() => closeSession(db, { identity, connectionNo, gatewayId }, clock.now())),
      ),
    )
  }, options('closeSession'))

  const confirm = async (connections: readonly Connection[]) => {
    const confirmed = await statements(() => confirmSessions(db, gatewayId, connections, clock.now()))
    const standing = new Map(confirmed.map((found) => [found.identity, found]))
    for (const connection of connections) {
      const found = standing.get(connection.identity)
      if (found === undefined) onRefuted(connection, 'stale')
      else if (!found.isProven) onRefuted(connection, 'rekeyed')
      // It ended while it was being confirmed, which may have opened its session again.
      else if (!isHeld(connection)) closed.add(connection)
      else onConfirmed(connection, found)
    }
    for (const { identity, isRevived } of confirmed) if (isRevived) reachable.add(identity)
  }
  const unconfirmed = groupCommit(confirm, options('confirmSessions'))
  const doubted = groupCommit(confirm, options('confirmSessions'))

  return {
    active,
    reachable,
    closed,
    unconfirmed,
    doubted,
    async stop(deadline) {
      await Promise.all([active, reachable, closed, unconfirmed, doubted].map((record) => record.stop(deadline)))
    },
  }
}
