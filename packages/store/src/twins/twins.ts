import {
  type IdentityKey,
  type JsonObject,
  type Section,
  sectionBytes,
  sectionSize,
  sectionTooLarge,
  type TwinPatch,
  type TwinSections,
} from '@muster/contract'
import { eq, type SQL, sql } from 'drizzle-orm'
import { twins } from '../postgres/schema.ts'
import { type Db, rows } from '../postgres/sql.ts'
import { type DesiredChange, replacementOf } from './desired-change.ts'
import { selectTwins, type TwinRow, twinDocument, twinEtag } from './document.ts'
import { compilePatch, compileReplacement, compileReported } from './patch.ts'

/** The whole twin as the wire shows it, or null when there is no such device or module. */
export async function readTwin(db: Db, identity: IdentityKey): Promise<JsonObject | null> {
  const row = await readTwinRow(db, identity)
  return row === null ? null : twinDocument(row)
}

/** The part of its twin that a device or module reads: properties with `$version`, without metadata and tags. */
export async function readProperties(
  db: Db,
  identity: IdentityKey,
): Promise<{ desired: JsonObject; reported: JsonObject } | null> {
  const [row] = await db
    .select({
      desired: twins.desired,
      desiredVersion: twins.desiredVersion,
      reported: twins.reported,
      reportedVersion: twins.reportedVersion,
    })
    .from(twins)
    .where(eq(twins.deviceId, identity))
  if (row === undefined) return null
  return {
    desired: { ...row.desired, $version: row.desiredVersion },
    reported: { ...row.reported, $version: row.reportedVersion },
  }
}

export type ChangedTwin =
  | {
      readonly kind: 'changed'
      readonly twin: JsonObject
      readonly etag: string
      /** Null: the desired properties were not written. */
      readonly desired: DesiredChange | null
    }
  | { readonly kind: 'missing' }
  /** The twin does not have the etag of the caller any more. */
  | { readonly kind: 'etag' }

/**
 * Merges a patch into one twin, all of it or nothing. `etag`: only if the twin still has it; null: any etag. An accepted patch raises the
 * version and the etag of the twin, also when it changes nothing. If it names `desired`, it raises the version of `desired` too.
 * @throws HubError ArgumentInvalid when a section would grow beyond its limit.
 */
export async function patchTwin(
  db: Db,
  identity: IdentityKey,
  patch: TwinPatch,
  { etag }: { etag: string | null },
  now: Date,
): Promise<ChangedTwin> {
  return db.transaction(async (tx) => {
    const sections = (['tags', 'desired'] as const).filter((section) => patch[section] !== undefined)
    const before = await changeOne(tx, identity, compilePatch(patch, now), hasEtag(etag), sections)
    const row = await readTwinRow(tx, identity)
    if (before === null || row === null) return { kind: row === null || etag === null ? 'missing' : 'etag' }
    const told = patch.desired === null ? replacementOf(before.desired, {}) : patch.desired
    return changed(identity, row, told)
  })
}

/** Replaces the tags and the desired properties of one twin. Otherwise as `patchTwin`. */
export async function replaceTwin(
  db: Db,
  identity: IdentityKey,
  sections: TwinSections,
  { etag }: { etag: string | null },
  now: Date,
): Promise<ChangedTwin> {
  return db.transaction(async (tx) => {
    const assignments = compileReplacement(sections, now)
    const before = await changeOne(tx, identity, assignments, hasEtag(etag), ['tags', 'desired'])
    const row = await readTwinRow(tx, identity)
    if (before === null || row === null) return { kind: row === null || etag === null ? 'missing' : 'etag' }
    return changed(identity, row, replacementOf(before.desired, sections.desired))
  })
}

function changed(identity: IdentityKey, row: TwinRow, told: JsonObject | undefined): ChangedTwin {
  const versions = [{ identity, version: Number(row.desired_version) }]
  return {
    kind: 'changed',
    twin: twinDocument(row),
    etag: row.etag,
    desired: told === undefined ? null : { patch: told, versions },
  }
}

function hasEtag(etag: string | null): SQL {
  return etag === null ? sql`true` : sql`${sql.raw(twinEtag)} = ${etag}`
}

export type PatchedReported =
  | { readonly kind: 'patched'; readonly version: number }
  | { readonly kind: 'missing' }
  /** `reported` does not have the version of the request. */
  | { readonly kind: 'version' }
  /** A newer connection owns the session, or the identity was deleted and made again. */
  | { readonly kind: 'outdated' }

/**
 * Merges reported properties into a twin; null clears `reported`. `version`: only if it is the current one. `connectionNo`: the number
 * of the connection that reports. An accepted patch raises the version by one, also when it changes nothing.
 * @throws HubError ArgumentInvalid when the section would grow beyond its limit.
 */
export async function patchReported(
  db: Db,
  identity: IdentityKey,
  patch: JsonObject | null,
  { version, connectionNo }: { version: number | null; connectionNo: number },
  now: Date,
): Promise<PatchedReported> {
  return db.transaction(async (tx) => {
    // Locked first, so that the next statement sees every connection that has reported before it, and is fenced by it.
    const [held] = await tx
      .select({ version: twins.reportedVersion })
      .from(twins)
      .where(eq(twins.deviceId, identity))
      .for('no key update')
    if (held === undefined) return { kind: 'missing' }
    if (version !== null && held.version !== version) return { kind: 'version' }
    const isOwner = sql`exists (
      select from sessions where device_id = ${identity} and connection_no = ${connectionNo})`
    const before = await changeOne(tx, identity, compileReported(patch, now), isOwner, ['reported'])
    return before === null ? { kind: 'outdated' } : { kind: 'patched', version: held.version + 1 }
  })
}

/**
 * Applies assignments to one twin. Returns its former desired properties. Null: there is no such twin, or it does not have the expected
 * etag.
 * @throws HubError ArgumentInvalid when a section is too large now and larger than before; roll back then.
 */
async function changeOne(
  tx: Db,
  identity: IdentityKey,
  assignments: SQL,
  isExpected: SQL,
  sections: readonly Section[],
): Promise<{ readonly desired: JsonObject } | null> {
  const [before] = await rows<{ desired: JsonObject; suspects: Record<string, Grown | null> }>(
    tx,
    sql`
    update twins t
       set ${assignments}
      from (select * from twins where device_id = ${identity} for no key update) as before
     where t.device_id = before.device_id
       and ${isExpected}
    returning before.desired, jsonb_build_object(${sql.join(sections.map(suspect), sql`, `)}) as suspects`,
  )
  if (before === undefined) return null
  for (const section of sections) {
    const grown = before.suspects[section]
    if (grown != null) requireAllowed(section, grown)
  }
  return before
}

interface Grown {
  readonly before: JsonObject
  readonly after: JsonObject
}

/** Both states of a section that may be too large. Null if it cannot be too large. */
function suspect(section: Section): SQL {
  const after = sql`t.${sql.identifier(section)}`
  return sql`${section}::text,
    case when pg_column_size(${after}) > ${sectionBytes[section]}::int
         then jsonb_build_object('before', before.${sql.identifier(section)}, 'after', ${after}) end`
}

function requireAllowed(section: Section, { before, after }: Grown): void {
  const bytes = sectionSize(after)
  if (bytes > sectionBytes[section] && bytes > sectionSize(before)) throw sectionTooLarge(section, bytes)
}

async function readTwinRow(db: Db, identity: IdentityKey): Promise<TwinRow | null> {
  const [row] = await rows<TwinRow>(db, sql`${selectTwins} where t.device_id = ${identity}`)
  return row ?? null
}
