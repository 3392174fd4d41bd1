import { type IdentityKey, isJsonObject, type JsonObject } from '@muster/contract'
import { eq, type SQL, sql } from 'drizzle-orm'
import { type DesiredRemoval, twins } from '../postgres/schema.ts'
import { type Db, json } from '../postgres/sql.ts'

/** The number of patches whose removals a twin keeps. */
const keptMax = 8
/** The bytes kept for the removals of one patch, as JSON. */
const keptBytesMax = 4 * 1024

/**
 * The assignment of an `update twins t` that notes the removals of a patch of desired properties. When there are enough notes, it
 * replaces the oldest one. Null when the patch removes nothing.
 */
export function compileRemoval(patch: JsonObject): SQL | null {
  const removed = nullsOf(patch)
  if (Object.keys(removed).length === 0) return null
  if (Buffer.byteLength(JSON.stringify(removed)) > keptBytesMax) return unknownRemoval
  return sql`desired_removals =
    case when jsonb_array_length(t.desired_removals) < ${keptMax}::int then t.desired_removals
         when t.desired_removals is null then '[]'
         else t.desired_removals - 0 end
    || jsonb_build_array(jsonb_build_array(t.desired_version + 1, ${json(removed)}))`
}

/** The same for a change that does not say what it removes. Earlier notes are then useless. */
export const unknownRemoval: SQL = sql`desired_removals = jsonb_build_array(jsonb_build_array(t.desired_version + 1, null))`

/** The nulls of a patch, and the objects around them. */
function nullsOf(patch: JsonObject): JsonObject {
  const members = Object.entries(patch).map(
    ([key, value]) => [key, isJsonObject(value) ? nullsOf(value) : value] as const,
  )
  return Object.fromEntries(members.filter(([, value]) => value === null || isFilled(value)))
}

function isFilled(value: unknown): boolean {
  return isJsonObject(value) && Object.keys(value).length > 0
}

/** Desired properties, for a reader who knows an earlier version. */
export interface DesiredSince {
  readonly version: number
  readonly section: JsonObject
  /** The removals of the patches since then, by the version that each led to. Null: not all of them are known. */
  readonly removals: ReadonlyMap<number, JsonObject> | null
}

/** Null: there is no such device or module. */
export async function readDesiredSince(db: Db, identity: IdentityKey, version: number): Promise<DesiredSince | null> {
  const [row] = await db
    .select({ version: twins.desiredVersion, section: twins.desired, removals: twins.desiredRemovals })
    .from(twins)
    .where(eq(twins.deviceId, identity))
  return row === undefined ? null : { ...row, removals: since(version, row.removals ?? []) }
}

function since(version: number, removals: readonly DesiredRemoval[]): Map<number, JsonObject> | null {
  const [[oldest] = [0]] = removals
  // With the full number of notes, notes of lower versions than the oldest may be gone.
  if (removals.length >= keptMax && oldest > version + 1) return null
  const known = new Map<number, JsonObject>()
  for (const [reached, removed] of removals) {
    if (reached <= version) continue
    if (removed === null) return null
    known.set(reached, removed)
  }
  return known
}
