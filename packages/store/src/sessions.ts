import { type DeviceId, type GatewayId, HubError } from '@muster/contract'
import { and, eq, sql } from 'drizzle-orm'
import { devices, type Subscription, sessions } from './schema.ts'
import { at, type Db, json, rows, texts } from './sql.ts'

export type { Subscription } from './schema.ts'

export interface OpenedSession {
  /** Rises with each connection of the device, and fences whatever an older one still has to say. */
  readonly connectionNo: number
  readonly subscriptions: readonly Subscription[]
  /** The gateway that held the device until now, when it is another one. */
  readonly takenOver: GatewayId | null
}

/**
 * Makes a gateway the owner of a device's connection. The stored subscriptions come back, methods are accepted again if
 * they were; `clean` drops both.
 * @throws HubError DeviceNotFound when the device was deleted meanwhile.
 */
export async function openSession(
  db: Db,
  { deviceId, gatewayId, clean }: { deviceId: DeviceId; gatewayId: GatewayId; clean: boolean },
  now: Date,
): Promise<OpenedSession> {
  const connection = { deviceId, gatewayId, clean }
  const opened = await takeSession(db, connection, now)
  if (opened !== null) return opened

  await createSession(db, deviceId, now)
  const first = await takeSession(db, connection, now)
  if (first === null) throw new HubError('DeviceNotFound', { message: `there is no device ${deviceId}` })
  return first
}

/** The end of a connection. False, and nothing changes, when a newer connection owns the session. */
export async function closeSession(
  db: Db,
  connection: { deviceId: DeviceId; gatewayId: GatewayId; connectionNo: number },
  now: Date,
): Promise<boolean> {
  const closed = await db
    .update(sessions)
    .set({ gatewayId: null, stateUpdatedAt: now })
    .where(
      and(
        eq(sessions.deviceId, connection.deviceId),
        eq(sessions.gatewayId, connection.gatewayId),
        eq(sessions.connectionNo, connection.connectionNo),
      ),
    )
    .returning({ deviceId: sessions.deviceId })
  return closed.length === 1
}

/** Keeps what a device has subscribed to. False, and nothing changes, when a newer connection owns the session. */
export async function storeSubscriptions(
  db: Db,
  connection: { deviceId: DeviceId; connectionNo: number },
  subscriptions: readonly Subscription[],
  acceptsMethods: boolean,
): Promise<boolean> {
  const stored = await db
    .update(sessions)
    .set({ subscriptions, acceptsMethods })
    .where(and(eq(sessions.deviceId, connection.deviceId), eq(sessions.connectionNo, connection.connectionNo)))
    .returning({ deviceId: sessions.deviceId })
  return stored.length === 1
}

/** Notes that these devices of a gateway have sent or received something. Time never goes back. Returns how many it noted. */
export async function recordActivity(
  db: Db,
  gatewayId: GatewayId,
  deviceIds: readonly string[],
  now: Date,
): Promise<number> {
  const active = await rows(
    db,
    sql`
    update sessions
       set last_activity_at = ${at(now)}
     where device_id = any(${texts(deviceIds)})
       and gateway_id = ${gatewayId}
       and last_activity_at < ${at(now)}
    returning device_id`,
  )
  return active.length
}

/** Where a direct method for a device has to go. */
export interface Route {
  readonly deviceId: DeviceId
  readonly status: 'enabled' | 'disabled'
  /** Null: not connected, or not subscribed to methods. */
  readonly gatewayId: GatewayId | null
}

/** The routes of those of the devices that exist, in no order. */
export async function findRoutes(db: Db, deviceIds: readonly string[]): Promise<Route[]> {
  return db
    .select({
      deviceId: devices.deviceId,
      status: devices.status,
      gatewayId: sql<GatewayId | null>`case when ${sessions.acceptsMethods} then ${sessions.gatewayId} end`,
    })
    .from(devices)
    .leftJoin(sessions, eq(sessions.deviceId, devices.deviceId))
    .where(sql`${devices.deviceId} = any(${texts(deviceIds)})`)
}

/** Which gateways hold these devices, in no order. A device that is not connected is left out. */
export async function findOwners(
  db: Db,
  deviceIds: readonly string[],
): Promise<{ deviceId: DeviceId; gatewayId: GatewayId }[]> {
  return rows(
    db,
    sql`
    select device_id as "deviceId", gateway_id as "gatewayId"
      from sessions
     where device_id = any(${texts(deviceIds)})
       and gateway_id is not null`,
  )
}

/** Null when the device has never connected. */
async function takeSession(
  db: Db,
  { deviceId, gatewayId, clean }: { deviceId: DeviceId; gatewayId: GatewayId; clean: boolean },
  now: Date,
): Promise<OpenedSession | null> {
  // The row is locked before it is changed: `previous` is then who really held it, however many connect at once.
  const [taken] = await rows<{ connection_no: string; subscriptions: Subscription[]; previous: GatewayId | null }>(
    db,
    sql`
    update sessions s
       set gateway_id = ${gatewayId},
           connection_no = s.connection_no + 1,
           state_updated_at = ${at(now)},
           last_activity_at = greatest(s.last_activity_at, ${at(now)}),
           subscriptions = ${clean ? json([]) : sql`s.subscriptions`},
           accepts_methods = s.accepts_methods and not ${clean}::boolean
      from (select device_id, gateway_id from sessions where device_id = ${deviceId} for update) as previous
     where s.device_id = previous.device_id
    returning s.connection_no, s.subscriptions, previous.gateway_id as previous`,
  )
  if (taken === undefined) return null
  return {
    connectionNo: Number(taken.connection_no),
    subscriptions: taken.subscriptions,
    takenOver: taken.previous === gatewayId ? null : taken.previous,
  }
}

async function createSession(db: Db, deviceId: DeviceId, now: Date): Promise<void> {
  await rows(
    db,
    sql`
    insert into sessions (device_id, state_updated_at, last_activity_at)
    select device_id, ${at(now)}, ${at(now)}
      from devices
     where device_id = ${deviceId}
        on conflict (device_id) do nothing
    returning device_id`,
  )
}
