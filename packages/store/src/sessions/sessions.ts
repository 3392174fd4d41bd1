import { type GatewayId, HubError, type IdentityKey, partsOf } from '@muster/contract'
import { and, eq, type SQL, sql } from 'drizzle-orm'
import { prepared } from '../postgres/prepared.ts'
import { type Subscription, sessions } from '../postgres/schema.ts'
import { at, type Db, instantOrNull, rows, texts } from '../postgres/sql.ts'

export type { Subscription } from '../postgres/schema.ts'

export interface OpenedSession {
  readonly identity: IdentityKey
  /** Rises with each connection of the identity. Writes of an older connection are refused by it. */
  readonly connectionNo: number
  /** The identity had this session before, with or without subscriptions. */
  readonly isResumed: boolean
  readonly subscriptions: readonly Subscription[]
  /** The gateway that held it until now, when it is another one. */
  readonly takenOver: GatewayId | null
  /** The version of the desired properties at that moment. */
  readonly desiredVersion: number
  /** The model of the twin at that moment. */
  readonly modelId: string
}

export interface NewConnection {
  readonly identity: IdentityKey
  readonly clean: boolean
}

/**
 * Makes a gateway the owner of the connections of devices and modules, each identity once. The stored subscriptions come back, also that
 * for methods; `clean` drops them. Returns the opened ones, in no order. It passes over identities that somebody has locked or deleted,
 * so that one of them holds up no other: `openSession` opens such a one, or says why not.
 */
export async function openSessions(
  db: Db,
  gatewayId: GatewayId,
  connections: readonly NewConnection[],
  now: Date,
): Promise<OpenedSession[]> {
  const taken = await prepared<TakenRow>(
    db,
    'takeSessions',
    takeSessions(gatewayId, connections, { waits: false }, now),
  )
  const known = new Set(taken.map((row) => row.identity))
  const unknown = connections.filter(({ identity }) => !known.has(identity))
  const created = await createSessions(db, unknown, { waits: false }, now)
  const first = unknown.filter(({ identity }) => created.has(identity))
  if (first.length > 0) {
    taken.push(...(await rows<TakenRow>(db, takeSessions(gatewayId, first, { waits: false }, now))))
  }
  return taken.map((row) => toOpened(row, gatewayId))
}

/**
 * Opens a single one, and waits for whoever has locked it. `modelId`: the model for its twin; null or left out: the twin keeps its value.
 * @throws HubError DeviceNotFound, ModuleNotFound when it was deleted meanwhile
 */
export async function openSession(
  db: Db,
  connection: NewConnection & { readonly gatewayId: GatewayId; readonly modelId?: string | null },
  now: Date,
): Promise<OpenedSession> {
  const { identity, gatewayId, modelId = null } = connection
  const take = () => rows<TakenRow>(db, takeSessions(gatewayId, [connection], { waits: true }, now))
  let [taken] = await take()
  if (taken === undefined) {
    await createSessions(db, [connection], { waits: true }, now)
    taken = (await take())[0]
  }
  if (taken === undefined) throw notRegistered(identity)
  if (modelId !== null && modelId !== taken.model_id) await setModelId(db, identity, modelId)
  return toOpened(taken, gatewayId)
}

/** Writes the model of a twin. It is no section of the twin, so neither version nor etag change. */
export async function setModelId(db: Db, identity: IdentityKey, modelId: string): Promise<void> {
  await rows(db, sql`update twins set model_id = ${modelId} where device_id = ${identity} and model_id <> ${modelId}`)
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
  /** Higher than that of a deleted identity of this name. */
  readonly generationNo: number
}

/** The routes of the existing identities, in no order. */
export async function findRoutes(db: Db, identities: readonly string[]): Promise<Route[]> {
  const found = await prepared<{
    identity: IdentityKey
    status: 'enabled' | 'disabled'
    gatewayId: GatewayId | null
    isConnected: boolean
    stateUpdatedAt: string | null
    generationNo: string
  }>(
    db,
    'findRoutes',
    sql`
    select d.device_id as identity,
           case when parent.status = 'disabled' then 'disabled' else d.status end as status,
           case when s.accepts_methods then s.gateway_id end as "gatewayId",
           s.gateway_id is not null as "isConnected",
           s.state_updated_at::text as "stateUpdatedAt",
           t.generation_no as "generationNo"
      from devices d
      join twins t on t.device_id = d.device_id
      left join devices parent on parent.device_id = d.module_of
      left join sessions s on s.device_id = d.device_id
     where d.device_id = any(${texts(identities)})`,
  )
  return found.map((route) => ({
    ...route,
    stateUpdatedAt: instantOrNull(route.stateUpdatedAt),
    generationNo: Number(route.generationNo),
  }))
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

interface TakenRow extends Record<string, unknown> {
  readonly identity: IdentityKey
  readonly connection_no: string
  readonly is_resumed: boolean
  readonly subscriptions: readonly Subscription[]
  readonly previous: GatewayId | null
  readonly desired_version: string
  readonly model_id: string
}

/**
 * Takes the sessions of those that have connected before. The rows are locked before the change, so that `previous` is the real owner,
 * however many connect at once. Like every statement over many sessions, it locks them in the order of their keys, so that there is no
 * deadlock.
 */
function takeSessions(
  gatewayId: GatewayId,
  connections: readonly NewConnection[],
  { waits }: { waits: boolean },
  now: Date,
): SQL {
  const identities = texts(connections.map(({ identity }) => identity))
  const cleans = texts(connections.map(({ clean }) => String(clean)))
  return sql`
    update sessions s
       set gateway_id = ${gatewayId},
           connection_no = s.connection_no + 1,
           state_updated_at = ${at(now)},
           last_activity_at = greatest(s.last_activity_at, ${at(now)}),
           subscriptions = case when previous.is_clean then '[]'::jsonb else s.subscriptions end,
           accepts_methods = s.accepts_methods and not previous.is_clean,
           is_persistent = not previous.is_clean
      from (select s.device_id, s.gateway_id, s.is_persistent, connection.is_clean
              from unnest(${identities}, ${cleans}::boolean[]) as connection (device_id, is_clean)
              join sessions s using (device_id)
             order by s.device_id
               for update of s ${waits ? sql`` : sql`skip locked`}) as previous
      join twins t using (device_id)
     where s.device_id = previous.device_id
    returning s.device_id as identity, s.connection_no, previous.is_persistent and s.is_persistent as is_resumed,
              s.subscriptions, previous.gateway_id as previous, t.desired_version, t.model_id`
}

function toOpened(row: TakenRow, gatewayId: GatewayId): OpenedSession {
  return {
    identity: row.identity,
    connectionNo: Number(row.connection_no),
    isResumed: row.is_resumed,
    subscriptions: row.subscriptions,
    takenOver: row.previous === gatewayId ? null : row.previous,
    desiredVersion: Number(row.desired_version),
    modelId: row.model_id,
  }
}

/**
 * Makes sessions for registered identities that have none, and returns which. The numbers begin with the milliseconds of the clock of
 * Postgres. So they are above those of a deleted identity of this name, whose connection a gateway may still hold: no device connects a
 * thousand times a second.
 */
async function createSessions(
  db: Db,
  connections: readonly NewConnection[],
  { waits }: { waits: boolean },
  now: Date,
): Promise<ReadonlySet<IdentityKey>> {
  if (connections.length === 0) return new Set()
  const created = await rows<{ device_id: IdentityKey }>(
    db,
    sql`
    insert into sessions (device_id, connection_no, state_updated_at, last_activity_at)
    select device_id, extract(epoch from clock_timestamp()) * 1000, ${at(now)}, ${at(now)}
      from devices
     where device_id = any(${texts(connections.map(({ identity }) => identity))})
     order by device_id
       for key share ${waits ? sql`` : sql`skip locked`}
        on conflict (device_id) do nothing
    returning device_id`,
  )
  return new Set(created.map((row) => row.device_id))
}

function notRegistered(identity: IdentityKey): HubError {
  return new HubError(partsOf(identity).moduleId === null ? 'DeviceNotFound' : 'ModuleNotFound', {
    message: `${identity} is not registered any more`,
  })
}
