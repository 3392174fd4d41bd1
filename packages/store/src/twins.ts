import {
  type DeviceId,
  type GatewayId,
  type JsonObject,
  type Section,
  sectionBytes,
  sectionSize,
  sectionTooLarge,
  storedDeviceId,
  type TwinPatch,
} from '@muster/contract'
import { eq, type SQL, sql } from 'drizzle-orm'
import { twins } from './schema.ts'
import { type Db, rows, texts } from './sql.ts'
import { selectTwins, type TwinRow, twinDocument, twinEtag } from './twin-document.ts'
import { compilePatch, compileReported } from './twin-patch.ts'

/** The whole twin as the wire shows it, or null when there is no such device. */
export async function readTwin(db: Db, deviceId: DeviceId): Promise<JsonObject | null> {
  const row = await readTwinRow(db, deviceId)
  return row === null ? null : twinDocument(row)
}

/** What a device reads of its own twin: its properties with `$version`, without metadata and tags. */
export async function readProperties(
  db: Db,
  deviceId: DeviceId,
): Promise<{ desired: JsonObject; reported: JsonObject } | null> {
  const [row] = await db
    .select({
      desired: twins.desired,
      desiredVersion: twins.desiredVersion,
      reported: twins.reported,
      reportedVersion: twins.reportedVersion,
    })
    .from(twins)
    .where(eq(twins.deviceId, deviceId))
  if (row === undefined) return null
  return {
    desired: { ...row.desired, $version: row.desiredVersion },
    reported: { ...row.reported, $version: row.reportedVersion },
  }
}

export type PatchedTwin =
  | {
      readonly kind: 'patched'
      readonly twin: JsonObject
      readonly etag: string
      readonly desiredVersion: number
      /** The gateway that holds the device. Null: it is not connected. */
      readonly gatewayId: GatewayId | null
    }
  | { readonly kind: 'missing' }
  /** The twin is another one by now than the caller's etag says. */
  | { readonly kind: 'etag' }

/**
 * Merges a patch into one twin, all of it or nothing. `etag`: only while the twin still has it; null: whatever it has. An
 * accepted patch raises the twin's version and etag, and the version of `desired` when it names that, also when it changes nothing.
 * @throws HubError ArgumentInvalid when a section would grow beyond its limit.
 */
export async function patchTwin(
  db: Db,
  deviceId: DeviceId,
  patch: TwinPatch,
  { etag }: { etag: string | null },
  now: Date,
): Promise<PatchedTwin> {
  return db.transaction(async (tx) => {
    const isExpected = etag === null ? sql`true` : sql`${sql.raw(twinEtag)} = ${etag}`
    const patched = await patchOne(tx, deviceId, compilePatch(patch, now), isExpected, patchedSections(patch))
    const row = await readTwinRow(tx, deviceId)
    if (row === null) return { kind: 'missing' }
    if (!patched) return { kind: 'etag' }
    return {
      kind: 'patched',
      twin: twinDocument(row),
      etag: row.etag,
      desiredVersion: Number(row.desired_version),
      gatewayId: row.gateway_id,
    }
  })
}

export type PatchedReported =
  | { readonly kind: 'patched'; readonly version: number }
  | { readonly kind: 'missing' }
  /** `reported` has another version than the device says. */
  | { readonly kind: 'version' }

/**
 * Merges what a device reports into its twin; null clears `reported`. `version`: only while it is the current one. An
 * accepted patch raises the version by one, also when it changes nothing.
 * @throws HubError ArgumentInvalid when the section would grow beyond its limit.
 */
export async function patchReported(
  db: Db,
  deviceId: DeviceId,
  patch: JsonObject | null,
  { version }: { version: number | null },
  now: Date,
): Promise<PatchedReported> {
  return db.transaction(async (tx) => {
    const isExpected = version === null ? sql`true` : sql`t.reported_version = ${version}`
    const patched = await patchOne(tx, deviceId, compileReported(patch, now), isExpected, ['reported'])
    const [row] = await tx.select({ version: twins.reportedVersion }).from(twins).where(eq(twins.deviceId, deviceId))
    if (row === undefined) return { kind: 'missing' }
    return patched ? { kind: 'patched', version: row.version } : { kind: 'version' }
  })
}

export interface PatchedTwins {
  readonly patched: number
  /** Left as they were, because a section may grow beyond its limit: `patchTwin` counts exactly. */
  readonly unsure: readonly DeviceId[]
  readonly missing: readonly DeviceId[]
  /** Whom to notify: the patched devices that are connected. Empty when the patch does not name `desired`. */
  readonly connected: readonly {
    readonly deviceId: DeviceId
    readonly gatewayId: GatewayId
    readonly desiredVersion: number
  }[]
}

/**
 * Merges a patch into the twins of these devices, in one statement. Call it inside a transaction. The rows are locked in
 * device id order, so that two such statements cannot wait for each other: the update is made to walk along the index,
 * because a select for update ahead of it would cost a fifth of the speed.
 */
export async function patchTwins(
  tx: Db,
  deviceIds: readonly string[],
  patch: TwinPatch,
  now: Date,
): Promise<PatchedTwins> {
  await rows(
    tx,
    sql`
    select set_config('enable_indexscan', 'on', true),
           set_config('enable_bitmapscan', 'off', true),
           set_config('enable_seqscan', 'off', true)`,
  )
  const [result] = await rows<{ patched: string[]; connected: PatchedTwins['connected'] | null }>(
    tx,
    sql`
    with patched as (
      update twins t
         set ${compilePatch(patch, now)}
       where device_id = any(${texts(deviceIds)})
         and ${fitsFor(patch)}
      returning t.device_id, t.desired_version)
    select array(select device_id from patched) as patched,
           (${patch.desired === undefined ? sql`null` : connectedAmongPatched}) as connected`,
  )
  if (result === undefined) throw new Error('a select without a from returns one row')
  const { unsure, missing } = await explainUnpatched(tx, deviceIds, new Set(result.patched))
  return { patched: result.patched.length, unsure, missing, connected: result.connected ?? [] }
}

/** Those that an update left out: it could not be sure of their size, or there is no such device. Mostly there are none. */
async function explainUnpatched(
  tx: Db,
  deviceIds: readonly string[],
  patched: ReadonlySet<string>,
): Promise<Pick<PatchedTwins, 'unsure' | 'missing'>> {
  const unpatched = deviceIds.filter((deviceId) => !patched.has(deviceId)).map(storedDeviceId)
  if (unpatched.length === 0) return { unsure: [], missing: [] }

  const found = await rows<{ device_id: string }>(
    tx,
    sql`select device_id from twins where device_id = any(${texts(unpatched)})`,
  )
  const existing = new Set(found.map((row) => row.device_id))
  return {
    unsure: unpatched.filter((deviceId) => existing.has(deviceId)),
    missing: unpatched.filter((deviceId) => !existing.has(deviceId)),
  }
}

const connectedAmongPatched = sql`
  select jsonb_agg(jsonb_build_object(
           'deviceId', device_id, 'gatewayId', gateway_id, 'desiredVersion', desired_version))
    from patched
    join sessions using (device_id)
   where gateway_id is not null`

/**
 * True where the patched sections stay within their limits for certain: stored without compression, a section takes at
 * least the bytes that its limit counts, and a merge adds at most those of the patch.
 */
function fitsFor(patch: TwinPatch): SQL {
  const conditions = patchedSections(patch).flatMap((section) => {
    const added = patch[section]
    if (added == null) return []
    return [sql`pg_column_size(${column(section)}) + ${sectionSize(added)}::int <= ${sectionBytes[section]}::int`]
  })
  return conditions.length === 0 ? sql`true` : sql.join(conditions, sql` and `)
}

/**
 * Applies assignments to one twin. False when there is none, or it is not as expected.
 * @throws HubError ArgumentInvalid when a section is too large now and larger than before; roll back then.
 */
async function patchOne(
  tx: Db,
  deviceId: DeviceId,
  assignments: SQL,
  isExpected: SQL,
  sections: readonly Section[],
): Promise<boolean> {
  const [patched] = await rows<{ suspects: Record<string, { before: JsonObject; after: JsonObject } | null> }>(
    tx,
    sql`
    update twins t
       set ${assignments}
      from (select * from twins where device_id = ${deviceId} for no key update) as before
     where t.device_id = before.device_id
       and ${isExpected}
    returning jsonb_build_object(${sql.join(sections.map(suspect), sql`, `)}) as suspects`,
  )
  if (patched === undefined) return false
  for (const section of sections) {
    const grown = patched.suspects[section]
    if (grown != null) requireAllowed(section, grown)
  }
  return true
}

/** Both states of a section that may be too large; null where it cannot be. */
function suspect(section: Section): SQL {
  const after = column(section)
  return sql`${section}::text,
    case when pg_column_size(${after}) > ${sectionBytes[section]}::int
         then jsonb_build_object('before', before.${sql.identifier(section)}, 'after', ${after}) end`
}

function requireAllowed(section: Section, { before, after }: { before: JsonObject; after: JsonObject }): void {
  const bytes = sectionSize(after)
  if (bytes > sectionBytes[section] && bytes > sectionSize(before)) throw sectionTooLarge(section, bytes)
}

function column(section: Section): SQL {
  return sql`t.${sql.identifier(section)}`
}

function patchedSections(patch: TwinPatch): ('tags' | 'desired')[] {
  return (['tags', 'desired'] as const).filter((section) => patch[section] !== undefined)
}

async function readTwinRow(db: Db, deviceId: DeviceId): Promise<TwinRow | null> {
  const [row] = await rows<TwinRow>(db, sql`${selectTwins} where t.device_id = ${deviceId}`)
  return row ?? null
}
