import { type IdentityKey, isJsonObject, type JsonObject } from '@muster/contract'
import { eq, type SQL, sql } from 'drizzle-orm'
import { type DesiredRemoval, twins } from '../postgres/schema.ts'
import { type Db, json } from '../postgres/sql.ts'

/** Patches for which a twin keeps what they removed. */
const keptMax = 8
/** Of what one patch removed, as JSON. */
const keptBytesMax = 4 * 1024

/**
 * The assignment of an `update twins t` that notes what a patch of the desired properties removes, in place of the oldest note
 * when there are enough; null when it removes nothing.
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

/** The same for a change that does not say what it removes. Notes of earlier ones are of no use any more. */
export const unknownRemoval: SQL = sql`desired_removals = jsonb_build_array(jsonb_build_array(t.desired_version + 1, null))`

/** The nulls of a patch, and the objects that lead to them. */
function nullsOf(patch: JsonObject): JsonObject {
  const members = Object.entries(patch).map(
    ([key, value]) => [key, isJsonObject(value) ? nullsOf(value) : value] as const,
  )
  return Object.fromEntries(members.filter(([, value]) => value === null || isFilled(value)))
}

function isFilled(value: unknown): boolean {
  return isJsonObject(value) && Object.keys(value).length > 0
}

/** Desired properties, for one who knows them as of an earlier version. */
export interface DesiredSince {
  readonly version: number
  readonly section: JsonObject
  /** What patches since then removed, by the version that each led to. Null: it is not known of all. */
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
  // Where no more are kept, some that led to lower versions than the oldest may have gone.
  if (removals.length >= keptMax && oldest > version + 1) return null
  const known = new Map<number, JsonObject>()
  for (const [reached, removed] of removals) {
    if (reached <= version) continue
    if (removed === null) return null
    known.set(reached, removed)
  }
  return known
}
