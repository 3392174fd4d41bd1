import type { DesiredPush } from '@muster/bus'
import { isJsonObject, type JsonObject, writeJson } from '@muster/contract'
import { readDesiredSince } from '@muster/store'
import type { Gateway } from '../gateway.ts'
import { endSession, isSubscribed, type Session, send } from '../sessions/session.ts'
import { desiredTopic } from '../topics/topics.ts'

/**
 * How long a patch waits for a missing one of a lower version. Patches go through different processes and overtake one another by
 * milliseconds. A patch that is still missing after this time was lost.
 */
const overtakenMsMax = 500
/** Notifications that may wait for one connection. They cannot be refused, and wait milliseconds for a read under way. */
const waitingMax = 256

/** Tells connected devices and modules about changes of desired properties, in the order of the versions and without a gap. */
export interface Notifications {
  /** A patch that is committed in Postgres. `toldAtMs`: when the hub said so, in its time; null when that is not known. */
  push(push: DesiredPush, toldAtMs: number | null): void
  /** Postgres has this version. Its notification may be on its way, or lost. */
  atVersion(session: Session, version: number): void
}

type Tools = Pick<Gateway, 'db' | 'clock' | 'events' | 'metrics' | 'statements'>

export function createNotifications(gateway: Tools, find: (identity: string) => Session | undefined): Notifications {
  const { clock, events, metrics } = gateway
  return {
    push({ patch, devices }, toldAtMs) {
      const sent = devices.map(({ identity, version }) => {
        const session = find(identity)
        return session === undefined ? 0 : pushInOrder(gateway, session, () => take(gateway, session, version, patch))
      })
      void Promise.all(sent).then((counts) => {
        const toldCount = counts.filter((count) => count > 0).length
        events.desiredPushed({ devices: toldCount })
        if (toldCount === 0 || toldAtMs === null) return
        metrics.muster_notification_lag_seconds.observe(Math.max(0, clock.now().getTime() - toldAtMs) / 1000)
      })
    },
    atVersion(session, version) {
      if (version > session.desiredVersion) awaitOvertaken(gateway, session, version)
    },
  }
}

/** The device knows all desired properties as of this version. */
export function noteTold(session: Session, version: number): void {
  session.desiredVersion = Math.max(session.desiredVersion, version)
  for (const overtaking of session.overtaking.keys()) {
    if (overtaking <= session.desiredVersion) session.overtaking.delete(overtaking)
  }
}

/** Runs after the other ordered work of the session. Returns the number of sent notifications. Never rejects. */
async function pushInOrder({ events }: Tools, session: Session, work: () => Promise<number>): Promise<number> {
  if (session.inOrder.pendingCount >= waitingMax) {
    // The device reads its twin when it is back. A notification that is just dropped would be missed for ever.
    endSession(session, 'slow')
    return 0
  }
  return session.inOrder(work).catch((error: unknown) => {
    events.gatewayFailed({ step: 'notify', error })
    return 0
  })
}

async function take(gateway: Tools, session: Session, version: number, patch: JsonObject): Promise<number> {
  if (version <= session.desiredVersion) return 0
  if (!isSubscribed(session, 'desired')) {
    noteTold(session, version)
    return 0
  }
  session.overtaking.set(version, patch)
  const sent = sendFollowing(gateway, session)
  if (session.overtaking.size >= waitingMax) endSession(session, 'slow')
  else if (session.overtaking.size > 0) awaitOvertaken(gateway, session, version)
  return sent
}

function awaitOvertaken(gateway: Tools, session: Session, version: number): void {
  session.heardVersion = Math.max(session.heardVersion, version)
  session.catchUp ??= setTimeout(() => {
    session.catchUp = null
    void pushInOrder(gateway, session, () => catchUp(gateway, session))
  }, overtakenMsMax).unref()
}

/** Sends the patches that follow the version that the device knows. Returns their number. */
function sendFollowing(gateway: Tools, session: Session): number {
  let sent = 0
  for (;;) {
    const version = session.desiredVersion + 1
    const patch = session.overtaking.get(version)
    if (patch === undefined) return sent
    sent += notify(gateway, session, version, patch)
  }
}

/**
 * Patches that are missing by now were lost. The device gets the patches that are here and the removed members of the lost ones, each
 * with its version. The last version has the whole section as it is now. When the removed members are not known, the connection ends,
 * and the device reads its twin when it is back.
 */
async function catchUp(gateway: Tools, session: Session): Promise<number> {
  if (session.heardVersion <= session.desiredVersion || session.endReason !== null) return 0
  if (!isSubscribed(session, 'desired')) return 0
  const current = await readDesired(gateway, session)
  if (current === null) return 0
  if (current.removals === null) {
    endSession(session, 'stale')
    return 0
  }
  const patches = new Map([...current.removals, ...session.overtaking])
  if (current.version > session.desiredVersion) {
    patches.set(current.version, including(current.section, patches.get(current.version) ?? {}))
  }
  let sent = 0
  for (const [version, patch] of [...patches].sort(([a], [b]) => a - b))
    sent += notify(gateway, session, version, patch)
  return sent
}

/** If this fails because Postgres is away, `catchUp` runs again after the same wait. */
async function readDesired(gateway: Tools, session: Session): ReturnType<typeof readDesiredSince> {
  try {
    return await gateway.statements(() => readDesiredSince(gateway.db, session.identity, session.desiredVersion))
  } catch (error) {
    awaitOvertaken(gateway, session, session.heardVersion)
    throw error
  }
}

function notify({ metrics }: Tools, session: Session, version: number, patch: JsonObject): number {
  noteTold(session, version)
  if (session.endReason !== null || !isSubscribed(session, 'desired')) return 0
  send(session, desiredTopic(version), writeJson({ ...patch, $version: version }))
  metrics.muster_mqtt_messages_total.inc({ kind: 'desiredPatch' })
  return 1
}

/** All members of a section, and null for those that the patch has removed. */
function including(section: JsonObject, patch: JsonObject): JsonObject {
  const kept = Object.entries(section).map(([key, member]) => {
    const change = Object.hasOwn(patch, key) ? patch[key] : undefined
    return [key, isJsonObject(member) && isJsonObject(change) ? including(member, change) : member] as const
  })
  const removed = Object.keys(patch).filter((key) => !Object.hasOwn(section, key))
  return Object.fromEntries([...kept, ...removed.map((key) => [key, null] as const)])
}
