import {
  type DeviceId,
  type JsonObject,
  type Section,
  sectionBytes,
  sectionSize,
  sectionTooLarge,
} from '@muster/contract'
import { eq, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/pg-core'
import { devices, sessions } from './schema.ts'
import { at, type Db, json, rows, texts } from './sql.ts'
import { deviceEtag } from './twin-document.ts'
import { freshMetadata } from './twin-patch.ts'

export interface DeviceAuthentication {
  readonly type: 'sas' | 'selfSigned' | 'certificateAuthority' | 'none'
  readonly primaryKey: string | null
  readonly secondaryKey: string | null
  readonly primaryThumbprint: string | null
  readonly secondaryThumbprint: string | null
}

/** What a caller says about a device's identity. */
export interface DeviceIdentity {
  readonly deviceId: DeviceId
  readonly status: 'enabled' | 'disabled'
  readonly statusReason: string | null
  readonly authentication: DeviceAuthentication
  readonly isEdge: boolean
}

/** A device to be created, with what its twin is to hold from the start. */
export interface DeviceDraft extends DeviceIdentity {
  readonly tags?: JsonObject
  readonly desired?: JsonObject
}

export interface Device extends DeviceIdentity {
  /** New when a device of the same id is created again. */
  readonly generationId: string
  readonly etag: string
  readonly statusUpdatedTime: Date | null
  readonly connectionState: 'Connected' | 'Disconnected'
  readonly connectionStateUpdatedTime: Date | null
  readonly lastActivityTime: Date | null
}

/**
 * Creates devices and their twins, in one statement. Returns the ids that were created; the others existed already.
 * @throws HubError ArgumentInvalid, and creates none, when a section is larger than its limit.
 */
export async function insertDevices(db: Db, drafts: readonly DeviceDraft[], now: Date): Promise<DeviceId[]> {
  const fresh = { $lastUpdated: now.toISOString() }
  const created = await rows<{ device_id: DeviceId }>(
    db,
    sql`
    with draft as (
      select *
        from jsonb_to_recordset(${json(drafts.map((draft) => draftRow(draft, fresh)))}) as draft (
             device_id text, status text, status_reason text, authentication_type text, primary_key text,
             secondary_key text, primary_thumbprint text, secondary_thumbprint text, is_edge boolean,
             tags jsonb, desired jsonb, desired_metadata jsonb)),
    created as (
      insert into devices (device_id, generation_id, status, status_reason, authentication_type, primary_key,
                           secondary_key, primary_thumbprint, secondary_thumbprint, is_edge, created_at)
      select device_id, gen_random_uuid(), status, status_reason, authentication_type, primary_key,
             secondary_key, primary_thumbprint, secondary_thumbprint, is_edge, ${at(now)}
        from draft
       order by device_id
          on conflict (device_id) do nothing
      returning device_id)
    insert into twins (device_id, tags, desired, desired_metadata, reported_metadata)
    select device_id, tags, desired, desired_metadata, ${json(fresh)}
      from draft
      join created using (device_id)
    returning device_id`,
  )
  return created.map((row) => row.device_id)
}

/** `etag`: only while the identity still has it; null: whatever it has. */
export async function updateDevice(
  db: Db,
  identity: DeviceIdentity,
  { etag }: { etag: string | null },
  now: Date,
): Promise<'updated' | 'missing' | 'etag'> {
  const { deviceId, status, statusReason, authentication, isEdge } = identity
  const [found] = await rows<{ is_updated: boolean }>(
    db,
    sql`
    with target as (select device_id from devices where device_id = ${deviceId} for no key update),
    updated as (
      update devices d
         set etag = d.etag + 1,
             status = ${status},
             status_reason = ${statusReason},
             status_updated_at = case when d.status = ${status} then d.status_updated_at else ${at(now)} end,
             authentication_type = ${authentication.type},
             primary_key = ${authentication.primaryKey},
             secondary_key = ${authentication.secondaryKey},
             primary_thumbprint = ${authentication.primaryThumbprint},
             secondary_thumbprint = ${authentication.secondaryThumbprint},
             is_edge = ${isEdge}
        from target
       where d.device_id = target.device_id
         and ${etag === null ? sql`true` : sql`${sql.raw(deviceEtag)} = ${etag}`}
      returning d.device_id)
    select exists (select from updated) as is_updated from target`,
  )
  if (found === undefined) return 'missing'
  return found.is_updated ? 'updated' : 'etag'
}

/** Deletes devices with their twins and sessions. Returns the ids that existed. */
export async function deleteDevices(db: Db, deviceIds: readonly string[]): Promise<DeviceId[]> {
  const deleted = await db
    .delete(devices)
    .where(sql`${devices.deviceId} = any(${texts(deviceIds)})`)
    .returning({ deviceId: devices.deviceId })
  return deleted.map(({ deviceId }) => deviceId)
}

/** `etag`: only while the identity still has it; null: whatever it has. */
export async function deleteDevice(
  db: Db,
  deviceId: DeviceId,
  etag: string | null,
): Promise<'deleted' | 'missing' | 'etag'> {
  const [found] = await rows<{ is_deleted: boolean }>(
    db,
    sql`
    with target as (select device_id from devices where device_id = ${deviceId} for update),
    deleted as (
      delete from devices d
       using target
       where d.device_id = target.device_id
         and ${etag === null ? sql`true` : sql`${sql.raw(deviceEtag)} = ${etag}`}
      returning d.device_id)
    select exists (select from deleted) as is_deleted from target`,
  )
  if (found === undefined) return 'missing'
  return found.is_deleted ? 'deleted' : 'etag'
}

export async function readDevice(db: Db, deviceId: DeviceId): Promise<Device | null> {
  const [row] = await selectDevices(db).where(eq(d.deviceId, deviceId))
  return row === undefined ? null : toDevice(row)
}

/** The first devices in device id order, at most `top`. */
export async function listDevices(db: Db, top: number): Promise<Device[]> {
  const found = await selectDevices(db).orderBy(d.deviceId).limit(top)
  return found.map(toDevice)
}

/** What decides whether a device may connect. */
export interface Credentials {
  readonly status: 'enabled' | 'disabled'
  readonly authentication: DeviceAuthentication
  readonly generationId: string
}

export async function readCredentials(db: Db, deviceId: DeviceId): Promise<Credentials | null> {
  const [row] = await db
    .select({ status: devices.status, authentication: authenticationOf(devices), generationId: devices.generationId })
    .from(devices)
    .where(eq(devices.deviceId, deviceId))
  return row ?? null
}

function draftRow(draft: DeviceDraft, fresh: JsonObject): JsonObject {
  const { tags = {}, desired = {}, authentication } = draft
  requireWithinLimit('tags', tags)
  requireWithinLimit('desired', desired)
  const isEmpty = Object.keys(desired).length === 0
  return {
    device_id: draft.deviceId,
    status: draft.status,
    status_reason: draft.statusReason,
    authentication_type: authentication.type,
    primary_key: authentication.primaryKey,
    secondary_key: authentication.secondaryKey,
    primary_thumbprint: authentication.primaryThumbprint,
    secondary_thumbprint: authentication.secondaryThumbprint,
    is_edge: draft.isEdge,
    tags,
    desired,
    desired_metadata: isEmpty ? fresh : freshMetadata(desired, { ...fresh, $lastUpdatedVersion: 1 }),
  }
}

function requireWithinLimit(section: Section, members: JsonObject): void {
  const bytes = sectionSize(members)
  if (bytes > sectionBytes[section]) throw sectionTooLarge(section, bytes)
}

/** The name that the SQL of the etag goes by. */
const d = alias(devices, 'd')

function selectDevices(db: Db) {
  return db
    .select({
      deviceId: d.deviceId,
      generationId: d.generationId,
      etag: sql<string>`${sql.raw(deviceEtag)}`,
      status: d.status,
      statusReason: d.statusReason,
      statusUpdatedTime: d.statusUpdatedAt,
      authentication: authenticationOf(d),
      isEdge: d.isEdge,
      gatewayId: sessions.gatewayId,
      connectionStateUpdatedTime: sessions.stateUpdatedAt,
      lastActivityTime: sessions.lastActivityAt,
    })
    .from(d)
    .leftJoin(sessions, eq(sessions.deviceId, d.deviceId))
    .$dynamic()
}

function authenticationOf(table: typeof devices | typeof d) {
  return {
    type: table.authenticationType,
    primaryKey: table.primaryKey,
    secondaryKey: table.secondaryKey,
    primaryThumbprint: table.primaryThumbprint,
    secondaryThumbprint: table.secondaryThumbprint,
  }
}

type DeviceRow = Awaited<ReturnType<typeof selectDevices>>[number]

function toDevice({ gatewayId, ...device }: DeviceRow): Device {
  return { ...device, connectionState: gatewayId === null ? 'Disconnected' : 'Connected' }
}
