import { type GatewayId, HubError, type IdentityKey, partsOf } from '@muster/contract'
import { and, eq, sql } from 'drizzle-orm'
import { prepared } from '../postgres/prepared.ts'
import { type Subscription, sessions } from '../postgres/schema.ts'
import { at, type Db, instantOrNull, rows, texts } from '../postgres/sql.ts'

export type { Subscription } from '../postgres/schema.ts'

export interface OpenedSession {
  /** Rises with each connection of the identity. Writes of an older connection are refused by it. */
  readonly connectionNo: number
  /** The identity had this session before, with or without subscriptions. */
  readonly isResumed: boolean
  readonly subscriptions: readonly Subscription[]
  /** The gateway that held it until now, when it is another one. */
  readonly takenOver: GatewayId | null
  /** The version of the desired properties at that moment. */
  readonly desiredVersion: number
}

interface NewConnection {
  readonly identity: IdentityKey
  readonly gatewayId: GatewayId
  readonly clean: boolean
  /** The model for its twin. Null or left out: the twin keeps its value. */
  readonly modelId?: string | null
}

/**
 * Makes a gateway the owner of the connection of a device or module. The stored subscriptions come back, also that for methods; `clean`
 * drops them.
 * @throws HubError DeviceNotFound, ModuleNotFound when it was deleted meanwhile
 */
export async function openSession(db: Db, connection: NewConnection, now: Date): Promise<OpenedSession> {
  const { identity, modelId = null } = connection
  const opened = (await takeSession(db, connection, now)) ?? (await openFirstSession(db, connection, now))
  if (modelId !== null && modelId !== opened.modelId) await setModelId(db, identity, modelId)
  return opened
}

async function openFirstSession(db: Db, connection: NewConnection, now: Date): Promise<TakenSession> {
  await createSession(db, connection.identity, now)
  const first = await takeSession(db, connection, now)
  if (first === null) throw notRegistered(connection.identity)
  return first
}

/** Writes the end of a connection. False, and nothing changes, when a newer connection owns the session. */
export async function closeSession(
  db: Db,
  connection: { identity: IdentityKey; gatewayId: GatewayId; connectionNo: number },
  now: Date,
): Promise<boolean> {
  const closed = await db
    .update(sessions)
    .set({ gatewayId: null, stateUpdatedAt: now })
    .where(
      and(
        eq(sessions.deviceId, connection.identity),
        eq(sessions.gatewayId, connection.gatewayId),
        eq(sessions.connectionNo, connection.connectionNo),
      ),
    )
    .returning({ deviceId: sessions.deviceId })
  return closed.length === 1
}

/** Stores the subscriptions of an identity. False, and nothing changes, when a newer connection owns the session. */
export async function storeSubscriptions(
  db: Db,
  connection: { identity: IdentityKey; connectionNo: number },
  subscriptions: readonly Subscription[],
  acceptsMethods: boolean,
): Promise<boolean> {
  const stored = await db
    .update(sessions)
    .set({ subscriptions, acceptsMethods })
    .where(and(eq(sessions.deviceId, connection.identity), eq(sessions.connectionNo, connection.connectionNo)))
    .returning({ deviceId: sessions.deviceId })
  return stored.length === 1
}

/**
 * Notes that these identities of a gateway have sent or received something. Time never goes back. Returns how many it noted.
 * Like every statement over many sessions, it locks them in the order of their keys, so that there is no deadlock.
 */
export async function recordActivity(
  db: Db,
  gatewayId: GatewayId,
  identities: readonly string[],
  now: Date,
): Promise<number> {
  const active = await prepared(
    db,
    'recordActivity',
    sql`
    update sessions s
       set last_activity_at = ${at(now)}
      from (select device_id
              from sessions
             where device_id = any(${texts(identities)})
               and gateway_id = ${gatewayId}
               and last_activity_at < ${at(now)}
             order by device_id
               for update) as active
     where s.device_id = active.device_id
    returning s.device_id`,
  )
  return active.length
}

/** The route of a direct method for a device or module. */
export interface Route {
  readonly identity: IdentityKey
  /** For a module: also `disabled` while its device is. */
  readonly status: 'enabled' | 'disabled'
  /** Null: not connected, or not subscribed to methods. */
  readonly gatewayId: GatewayId | null
  readonly isConnected: boolean
  /** When it connected or, if it is not connected, when its connection ended. Null: it has never connected. */
  readonly stateUpdatedAt: Date | null
}

/** The routes of the existing identities, in no order. */
export async function findRoutes(db: Db, identities: readonly string[]): Promise<Route[]> {
  const found = await prepared<{
    identity: IdentityKey
    status: 'enabled' | 'disabled'
    gatewayId: GatewayId | null
    isConnected: boolean
    stateUpdatedAt: string | null
  }>(
    db,
    'findRoutes',
    sql`
    select d.device_id as identity,
           case when parent.status = 'disabled' then 'disabled' else d.status end as status,
           case when s.accepts_methods then s.gateway_id end as "gatewayId",
           s.gateway_id is not null as "isConnected",
           s.state_updated_at::text as "stateUpdatedAt"
      from devices d
      left join devices parent on parent.device_id = d.module_of
      left join sessions s on s.device_id = d.device_id
     where d.device_id = any(${texts(identities)})`,
  )
  return found.map((route) => ({ ...route, stateUpdatedAt: instantOrNull(route.stateUpdatedAt) }))
}

export interface Owner {
  readonly identity: IdentityKey
  readonly gatewayId: GatewayId
}

/** The gateways that hold these identities, in no order. Identities that are not connected are left out. */
export async function findOwners(db: Db, identities: readonly string[]): Promise<Owner[]> {
  return prepared<{ identity: IdentityKey; gatewayId: GatewayId }>(
    db,
    'findOwners',
    sql`
    select device_id as identity, gateway_id as "gatewayId"
      from sessions
     where device_id = any(${texts(identities)})
       and gateway_id is not null`,
  )
}

/** The same for these identities and all modules of the devices among them. */
export async function findOwnersWithModules(db: Db, identities: readonly string[]): Promise<Owner[]> {
  const modules = await rows<{ device_id: IdentityKey }>(
    db,
    sql`select device_id from devices where module_of = any(${texts(identities)})`,
  )
  return findOwners(db, [...identities, ...modules.map((row) => row.device_id)])
}

interface TakenSession extends OpenedSession {
  /** That of the twin, until now. */
  readonly modelId: string
}

/** Null when the identity has never connected. */
async function takeSession(
  db: Db,
  { identity, gatewayId, clean }: NewConnection,
  now: Date,
): Promise<TakenSession | null> {
  // The row is locked before the change, so that `previous` is the real owner, however many connect at once.
  const [taken] = await prepared<{
    connection_no: string
    is_resumed: boolean
    subscriptions: Subscription[]
    previous: GatewayId | null
    desired_version: string
    model_id: string
  }>(
    db,
    'takeSession',
    sql`
    update sessions s
       set gateway_id = ${gatewayId},
           connection_no = s.connection_no + 1,
           state_updated_at = ${at(now)},
           last_activity_at = greatest(s.last_activity_at, ${at(now)}),
           subscriptions = case when ${clean}::boolean then '[]'::jsonb else s.subscriptions end,
           accepts_methods = s.accepts_methods and not ${clean}::boolean,
           is_persistent = not ${clean}::boolean
      from (select device_id, gateway_id, is_persistent from sessions where device_id = ${identity} for update) as previous,
           twins t
     where s.device_id = previous.device_id
       and t.device_id = ${identity}
    returning s.connection_no, previous.is_persistent and s.is_persistent as is_resumed, s.subscriptions,
              previous.gateway_id as previous, t.desired_version, t.model_id`,
  )
  if (taken === undefined) return null
  return {
    connectionNo: Number(taken.connection_no),
    isResumed: taken.is_resumed,
    subscriptions: taken.subscriptions,
    takenOver: taken.previous === gatewayId ? null : taken.previous,
    desiredVersion: Number(taken.desired_version),
    modelId: taken.model_id,
  }
}

/** The model is no section of the twin, so neither version nor etag change. */
async function setModelId(db: Db, identity: IdentityKey, modelId: string): Promise<void> {
  await rows(db, sql`update twins set model_id = ${modelId} where device_id = ${identity} and model_id <> ${modelId}`)
}

/**
 * Its numbers begin with the milliseconds of the clock of Postgres. So they are above those of a deleted identity of this name, whose
 * connection a gateway may still hold: no device connects a thousand times a second.
 */
async function createSession(db: Db, identity: IdentityKey, now: Date): Promise<void> {
  await rows(
    db,
    sql`
    insert into sessions (device_id, connection_no, state_updated_at, last_activity_at)
    select device_id, extract(epoch from clock_timestamp()) * 1000, ${at(now)}, ${at(now)}
      from devices
     where device_id = ${identity}
        on conflict (device_id) do nothing
    returning device_id`,
  )
}

function notRegistered(identity: IdentityKey): HubError {
  return new HubError(partsOf(identity).moduleId === null ? 'DeviceNotFound' : 'ModuleNotFound', {
    message: `${identity} is not registered any more`,
  })
}
