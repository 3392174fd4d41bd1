import type { IdentityKey } from '@muster/contract'
import { type GatewayStep, type GroupedWrite, orAborted } from '@muster/runtime'
import { closeSessions, confirmSessions, type HeardConnection, markReachable, recordActivity } from '@muster/store'
import type { Gateway } from '../gateway.ts'
import { type Activity, collectActivity } from './activity.ts'
import { type GroupCommit, groupCommit } from './group-commit.ts'

/** Rows of one statement: many, so that there are few statements, but few enough to hold their locks for milliseconds only. */
const setSize = 1_000

/** A connection that is to be compared with Postgres. */
export interface HeldConnection extends HeardConnection {
  readonly fingerprints: readonly string[]
}

/** Writes about connections to Postgres, in sets, so that a fleet that comes back at once costs few statements. */
export interface Records<Connection extends HeldConnection> {
  readonly activity: Activity<Connection>
  /** The device can get methods. Add it after its subscription is committed, or a job may miss it. */
  readonly reachable: GroupCommit<IdentityKey>
  /** The connection has ended. */
  readonly closed: GroupCommit<HeardConnection>
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
  const { db, bus, clock, events, metrics, gatewayId, statements } = gateway
  const options = (step: GatewayStep, write: GroupedWrite) => ({
    setSize,
    onWritten: (count: number) => metrics.muster_group_commit_size.observe({ write }, count),
    onError: (error: unknown) => events.gatewayFailed({ step, error }),
  })

  const activity = collectActivity<Connection>(
    async (connections) => {
      await statements(() => recordActivity(db, gatewayId, connections))
    },
    options('recordActivity', 'activity'),
  )

  const reachable = groupCommit<IdentityKey>(
    async (identities) => {
      const keys = await statements(() => markReachable(db, identities, clock.now()))
      // A sweep repairs a lost wake-up.
      for (const key of keys) void bus.wakeDue(key).then((isTaken) => isTaken || events.wakeUpLost({ kind: 'due' }))
    },
    options('markReachable', 'reachable'),
  )

  const close = (connections: readonly HeardConnection[], waits: boolean) =>
    statements(() => closeSessions(db, gatewayId, connections, { waits }, clock.now()))
  const closed = groupCommit<HeardConnection>(
    async (connections) => {
      const locked = new Set(await close(connections, false))
      for (const connection of connections) if (locked.has(connection.identity)) lockedClosed.add(connection)
    },
    options('closeSession', 'closed'),
  )
  /** These wait for whoever has locked their sessions, and no others wait for them. */
  const lockedClosed = groupCommit<HeardConnection>(
    async (connections) => {
      await close(connections, true)
    },
    options('closeSession', 'closed'),
  )

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
  const unconfirmed = groupCommit(confirm, options('confirmSessions', 'confirmed'))
  const doubted = groupCommit(confirm, options('confirmSessions', 'confirmed'))

  return {
    activity,
    reachable,
    closed,
    unconfirmed,
    doubted,
    async stop(deadline) {
      const inTime = [reachable, closed, unconfirmed, doubted].map((record) => record.stop(deadline))
      await Promise.all([...inTime, orAborted(activity.stop(), deadline)])
      await lockedClosed.stop(deadline)
    },
  }
}
