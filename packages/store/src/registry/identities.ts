import {
  type IdentityKey,
  type JsonObject,
  type Section,
  sectionBytes,
  sectionSize,
  sectionTooLarge,
} from '@muster/contract'
import { eq, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/pg-core'
import { prepared } from '../postgres/prepared.ts'
import { devices, sessions, twins } from '../postgres/schema.ts'
import { at, type Db, json, rows, texts } from '../postgres/sql.ts'
import { deviceEtag, deviceScope } from '../twins/document.ts'
import { freshMetadata } from '../twins/patch.ts'

export interface Authentication {
  readonly type: 'sas' | 'selfSigned' | 'certificateAuthority' | 'none'
  readonly primaryKey: string | null
  readonly secondaryKey: string | null
  readonly primaryThumbprint: string | null
  readonly secondaryThumbprint: string | null
}

/** The members of a device or module that a caller sets. */
export interface IdentitySettings {
  readonly identity: IdentityKey
  readonly status: 'enabled' | 'disabled'
  readonly statusReason: string | null
  readonly authentication: Authentication
  readonly isEdge: boolean
  /** For a module: who manages it. */
  readonly managedBy: string | null
  /** For a device: the scopes of the edge devices above it. */
  readonly parentScopes: readonly string[]
}

/** An identity to be created, with the first content of its twin. */
export interface IdentityDraft extends IdentitySettings {
  readonly tags?: JsonObject
  readonly desired?: JsonObject
}

export interface Identity extends IdentitySettings {
  /** Another one when an identity of the same name is created again. */
  readonly generationId: string
  readonly etag: string
  /** That of an edge device is its own, that of any other device is its parent's. */
  readonly deviceScope: string | null
  readonly statusUpdatedTime: Date | null
  readonly connectionState: 'Connected' | 'Disconnected'
  readonly connectionStateUpdatedTime: Date | null
  readonly lastActivityTime: Date | null
}

/** The first value of the counter of a new identity. It is random, so that no etag of a deleted identity fits its successor. */
const anyEtag = sql`(1 + floor(random() * 1e12))::bigint`

/** A number, because scopes end with it. No two devices of one name have the same. */
const anyGeneration = sql`(6e17 + floor(random() * 1e17))::bigint::text`

/**
 * Creates identities and their twins, in one statement. Returns those that were created; the others existed already.
 * @throws HubError ArgumentInvalid, and creates none, when a section is larger than its limit.
 */
export async function insertIdentities(db: Db, drafts: readonly IdentityDraft[], now: Date): Promise<IdentityKey[]> {
  const fresh = { $lastUpdated: now.toISOString() }
  const created = await rows<{ device_id: IdentityKey }>(
    db,
    sql`
    with draft as (
      select *
        from jsonb_to_recordset(${json(drafts.map((draft) => draftRow(draft, fresh)))}) as draft (
             device_id text, status text, status_reason text, authentication_type text, primary_key text,
             secondary_key text, primary_thumbprint text, secondary_thumbprint text, is_edge boolean,
             managed_by text, parent_scopes text[], tags jsonb, desired jsonb, desired_metadata jsonb)),
    created as (
      insert into devices (device_id, generation_id, etag, status, status_reason, authentication_type, primary_key,
                           secondary_key, primary_thumbprint, secondary_thumbprint, is_edge, managed_by, parent_scopes,
                           created_at)
      select device_id, ${anyGeneration}, ${anyEtag}, status, status_reason, authentication_type, primary_key,
             secondary_key, primary_thumbprint, secondary_thumbprint, is_edge, managed_by, parent_scopes, ${at(now)}
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

/** `etag`: only if the identity still has it. Null: any etag. */
export async function updateIdentity(
  db: Db,
  settings: IdentitySettings,
  { etag }: { etag: string | null },
  now: Date,
): Promise<'updated' | 'missing' | 'etag'> {
  const { identity, status, statusReason, authentication, isEdge, managedBy, parentScopes } = settings
  const [found] = await rows<{ is_updated: boolean }>(
    db,
    sql`
    with target as (select device_id from devices where device_id = ${identity} for no key update),
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
             is_edge = ${isEdge},
             managed_by = ${managedBy},
             parent_scopes = ${texts(parentScopes)}
        from target
       where d.device_id = target.device_id
         and ${etag === null ? sql`true` : sql`${sql.raw(deviceEtag)} = ${etag}`}
      returning d.device_id)
    select exists (select from updated) as is_updated from target`,
  )
  if (found === undefined) return 'missing'
  return found.is_updated ? 'updated' : 'etag'
}

/** Deletes identities and everything that belongs to them, with any etag. Returns those that existed. */
export async function deleteIdentities(db: Db, identities: readonly string[]): Promise<IdentityKey[]> {
  return db.transaction(async (tx) => {
    await lockToDelete(tx, identities)
    const deleted = await rows<{ device_id: IdentityKey }>(
      tx,
      sql`delete from devices where device_id = any(${texts(identities)}) returning device_id`,
    )
    return deleted.map((row) => row.device_id)
  })
}

/**
 * A deletion takes its rows in any order, so all of them are locked first, in the order of statements that change many twins or
 * sessions. So there is no deadlock between the two.
 */
async function lockToDelete(tx: Db, identities: readonly string[]): Promise<void> {
  const listed = texts(identities)
  const withModules = sql`array(
    select device_id from devices where device_id = any(${listed})
     union all
    select device_id from devices where module_of = any(${listed}))`
  for (const table of [devices, twins, sessions]) {
    await rows(tx, sql`select from ${table} where device_id = any(${withModules}) order by device_id for update`)
  }
}

/** Deletes an identity, its twin and its session, and all modules of a device. `etag`: as for `updateIdentity`. */
export async function deleteIdentity(
  db: Db,
  identity: IdentityKey,
  etag: string | null,
): Promise<'deleted' | 'missing' | 'etag'> {
  return db.transaction(async (tx) => {
    await lockToDelete(tx, [identity])
    const [found] = await rows<{ is_deleted: boolean }>(
      tx,
      sql`
      with deleted as (
        delete from devices d
         where d.device_id = ${identity}
           and ${etag === null ? sql`true` : sql`${sql.raw(deviceEtag)} = ${etag}`}
        returning d.device_id)
      select exists (select from deleted) as is_deleted from devices where device_id = ${identity}`,
    )
    if (found === undefined) return 'missing'
    return found.is_deleted ? 'deleted' : 'etag'
  })
}

export async function readIdentity(db: Db, identity: IdentityKey): Promise<Identity | null> {
  const [row] = await selectIdentities(db).where(eq(d.deviceId, identity))
  return row === undefined ? null : toIdentity(row)
}

/** The same, and locks the identity: no other transaction changes or deletes it before this one ends. */
export async function lockIdentity(tx: Db, identity: IdentityKey): Promise<Identity | null> {
  const [row] = await selectIdentities(tx).where(eq(d.deviceId, identity)).for('no key update', { of: d })
  return row === undefined ? null : toIdentity(row)
}

/** The data that decide whether a device or module may connect. */
export interface Credentials {
  /** For a module: also `disabled` while its device is. */
  readonly status: 'enabled' | 'disabled'
  readonly authentication: Authentication
  readonly generationId: string
}

/** Those of the registered identities among these. */
export async function readCredentials(
  db: Db,
  identities: readonly IdentityKey[],
): Promise<ReadonlyMap<IdentityKey, Credentials>> {
  const found = await prepared<CredentialsRow>(
    db,
    'readCredentials',
    sql`
    select d.device_id, case when parent.status = 'disabled' then 'disabled' else d.status end as status,
           d.authentication_type, d.primary_key, d.secondary_key, d.primary_thumbprint, d.secondary_thumbprint,
           d.generation_id
      from devices d
      left join devices parent on parent.device_id = d.module_of
     where d.device_id = any(${texts(identities)})`,
  )
  return new Map(found.map((row) => [row.device_id, toCredentials(row)]))
}

function toCredentials(row: CredentialsRow): Credentials {
  return {
    status: row.status,
    authentication: {
      type: row.authentication_type,
      primaryKey: row.primary_key,
      secondaryKey: row.secondary_key,
      primaryThumbprint: row.primary_thumbprint,
      secondaryThumbprint: row.secondary_thumbprint,
    },
    generationId: row.generation_id,
  }
}

interface CredentialsRow extends Record<string, unknown> {
  readonly device_id: IdentityKey
  readonly status: 'enabled' | 'disabled'
  readonly authentication_type: Authentication['type']
  readonly primary_key: string | null
  readonly secondary_key: string | null
  readonly primary_thumbprint: string | null
  readonly secondary_thumbprint: string | null
  readonly generation_id: string
}

/** The table name in the SQL of the etag. */
export const d = alias(devices, 'd')

const authenticationOf = {
  type: d.authenticationType,
  primaryKey: d.primaryKey,
  secondaryKey: d.secondaryKey,
  primaryThumbprint: d.primaryThumbprint,
  secondaryThumbprint: d.secondaryThumbprint,
}

export function selectIdentities(db: Db) {
  return db
    .select({
      identity: d.deviceId,
      generationId: d.generationId,
      etag: sql<string>`${sql.raw(deviceEtag)}`,
      status: d.status,
      statusReason: d.statusReason,
      statusUpdatedTime: d.statusUpdatedAt,
      authentication: authenticationOf,
      isEdge: d.isEdge,
      managedBy: d.managedBy,
      parentScopes: d.parentScopes,
      deviceScope: sql<string | null>`${sql.raw(deviceScope)}`,
      gatewayId: sessions.gatewayId,
      connectionStateUpdatedTime: sessions.stateUpdatedAt,
      lastActivityTime: sessions.lastActivityAt,
    })
    .from(d)
    .leftJoin(sessions, eq(sessions.deviceId, d.deviceId))
    .$dynamic()
}

type IdentityRow = Awaited<ReturnType<typeof selectIdentities>>[number]

export function toIdentity({ gatewayId, ...identity }: IdentityRow): Identity {
  return { ...identity, connectionState: gatewayId === null ? 'Disconnected' : 'Connected' }
}

function draftRow(draft: IdentityDraft, fresh: JsonObject): JsonObject {
  const { tags = {}, desired = {}, authentication } = draft
  requireWithinLimit('tags', tags)
  requireWithinLimit('desired', desired)
  const isEmpty = Object.keys(desired).length === 0
  return {
    device_id: draft.identity,
    status: draft.status,
    status_reason: draft.statusReason,
    authentication_type: authentication.type,
    primary_key: authentication.primaryKey,
    secondary_key: authentication.secondaryKey,
    primary_thumbprint: authentication.primaryThumbprint,
    secondary_thumbprint: authentication.secondaryThumbprint,
    is_edge: draft.isEdge,
    managed_by: draft.managedBy,
    parent_scopes: draft.parentScopes,
    tags,
    desired,
    desired_metadata: isEmpty ? fresh : freshMetadata(desired, { ...fresh, $lastUpdatedVersion: 1 }),
  }
}

function requireWithinLimit(section: Section, members: JsonObject): void {
  const bytes = sectionSize(members)
  if (bytes > sectionBytes[section]) throw sectionTooLarge(section, bytes)
}
