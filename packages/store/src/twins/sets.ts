import {
  type DeviceId,
  type JsonObject,
  sectionBytes,
  sectionSize,
  storedDeviceId,
  type TwinPatch,
} from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { type Settings, setLocally } from '../postgres/briefly.ts'
import { type Db, rows, texts } from '../postgres/sql.ts'
import { type DesiredChange, replacementOf } from './desired-change.ts'
import { compilePatch } from './patch.ts'

export interface PatchedTwins {
  readonly patched: number
  /** Twins that were not patched, because a section may grow beyond its limit. `patchTwin` counts exactly. */
  readonly unsure: readonly DeviceId[]
  readonly missing: readonly DeviceId[]
  /** The changes for the patched devices. Empty when the patch does not name `desired`. */
  readonly desired: readonly DesiredChange[]
}

/**
 * Merges a patch into the twins of these devices, in one statement. Call it inside a transaction. The rows are locked in device id
 * order, so that two such statements cannot wait for each other. For this the update walks along the index: a select for update before
 * it would cost a fifth of the speed. Devices above `lastGenerationNo` are missing: they were registered later.
 */
export async function patchTwins(
  tx: Db,
  deviceIds: readonly string[],
  patch: TwinPatch,
  now: Date,
  { lastGenerationNo = Number.MAX_SAFE_INTEGER }: { readonly lastGenerationNo?: number } = {},
): Promise<PatchedTwins> {
  await setLocally(tx, alongIndexes)
  const cleared = patch.desired === null ? await lockDesired(tx, deviceIds) : null
  const [result] = await rows<{ patched: [DeviceId, number][] }>(
    tx,
    sql`
    with ${patched({ deviceIds: texts(deviceIds), firstId: sql`${deviceIds[0] ?? null}` }, patch, now, lastGenerationNo)}
    select coalesce(json_agg(json_build_array(device_id, desired_version)), '[]') as patched
      from patched`,
  )
  if (result === undefined) throw new Error('an aggregate returns one row')
  const versions = result.patched.map(([identity, version]) => ({ identity, version }))
  const identities = new Set<string>(versions.map(({ identity }) => identity))
  const { unsure, missing } = await explainUnpatched(
    tx,
    deviceIds.filter((deviceId) => !identities.has(deviceId)),
    lastGenerationNo,
  )
  return { patched: versions.length, unsure, missing, desired: changesOf(patch, versions, cleared) }
}

/** With these Postgres finds, and locks, the rows of a list in the order of an index. */
export const alongIndexes: Settings = { enable_indexscan: 'on', enable_bitmapscan: 'off', enable_seqscan: 'off' }

/**
 * `patched as (...)`: patches the twins of a list of ids, an array of texts, and has the new version of each. `firstId`, one of them,
 * is as good as any to tell which version most of them have. Needs `alongIndexes`.
 */
export function patched(
  { deviceIds, firstId }: { readonly deviceIds: SQL; readonly firstId: SQL },
  patch: TwinPatch,
  now: Date,
  lastGenerationNo: number,
): SQL {
  const usualVersion = sql`(select version from usual)`
  return sql`usual as materialized (select desired_version + 1 as version from twins where device_id = ${firstId}),
    patched as (
      update twins t
         set ${compilePatch(patch, now, { usualVersion })}
       where device_id = any(${deviceIds})
         and generation_no <= ${lastGenerationNo}
         and ${fitsFor(patch)}
      returning t.device_id, t.desired_version)`
}

type Versions = DesiredChange['versions']

/** `cleared`: the former content of twins whose `desired` is cleared. Twins of a fleet are alike, so few patches serve them all. */
function changesOf(
  patch: TwinPatch,
  versions: Versions,
  cleared: ReadonlyMap<string, JsonObject> | null,
): DesiredChange[] {
  if (versions.length === 0 || patch.desired === undefined) return []
  if (patch.desired !== null) return [{ patch: patch.desired, versions }]
  const byPatch = new Map<string, { patch: JsonObject; versions: Versions[number][] }>()
  for (const version of versions) {
    const removal = replacementOf(cleared?.get(version.identity) ?? {}, {})
    const key = JSON.stringify(removal)
    const change = byPatch.get(key) ?? { patch: removal, versions: [] }
    change.versions.push(version)
    byPatch.set(key, change)
  }
  return [...byPatch.values()]
}

/** Reads the content that will be cleared. It takes the same locks as the update, in the same order. */
async function lockDesired(tx: Db, deviceIds: readonly string[]): Promise<Map<string, JsonObject>> {
  const locked = await rows<{ device_id: string; desired: JsonObject }>(
    tx,
    sql`
    select device_id, desired
      from twins
     where device_id = any(${texts(deviceIds)})
     order by device_id
       for no key update`,
  )
  return new Map(locked.map((row) => [row.device_id, row.desired]))
}

/**
 * Devices that an update left out: their size was not certain, or there is no such device. Mostly there are none. Those that exist are
 * locked, so that none is made anew before it is patched.
 */
async function explainUnpatched(
  tx: Db,
  unpatched: readonly string[],
  lastGenerationNo: number,
): Promise<Pick<PatchedTwins, 'unsure' | 'missing'>> {
  if (unpatched.length === 0) return { unsure: [], missing: [] }

  const found = await rows<{ device_id: string }>(
    tx,
    sql`
    select device_id
      from twins
     where device_id = any(${texts(unpatched)})
       and generation_no <= ${lastGenerationNo}
     order by device_id
       for no key update`,
  )
  const existing = new Set(found.map((row) => row.device_id))
  const deviceIds = unpatched.map(storedDeviceId)
  return {
    unsure: deviceIds.filter((deviceId) => existing.has(deviceId)),
    missing: deviceIds.filter((deviceId) => !existing.has(deviceId)),
  }
}

/**
 * True where the patched sections certainly stay within their limits. Stored without compression, a section takes at least the bytes
 * that its limit counts. A merge adds at most the bytes of the patch.
 */
function fitsFor(patch: TwinPatch): SQL {
  const conditions = (['tags', 'desired'] as const).flatMap((section) => {
    const added = patch[section]
    if (added == null) return []
    return [
      sql`pg_column_size(t.${sql.identifier(section)}) + ${sectionSize(added)}::int <= ${sectionBytes[section]}::int`,
    ]
  })
  return conditions.length === 0 ? sql`true` : sql.join(conditions, sql` and `)
}
