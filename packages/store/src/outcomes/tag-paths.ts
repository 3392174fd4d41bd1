import { isJsonObject, type Json, type JsonObject } from '@muster/contract'
import { sql } from 'drizzle-orm'
import type { Search } from '../postgres/query-time.ts'
import { texts } from '../postgres/sql.ts'

/** A path to a tag: names that have no dot in them, joined by dots. */
export type TagPath = string

/** The tags of so many devices are read, each of 8 KiB at most. */
const readDevices = 200

/**
 * The paths of texts, numbers and booleans that most of the devices have; of those that as many have, the ones with the fewest values
 * first: a serial number explains nothing. Read from at most 200 devices, spread over the given ones.
 */
export async function findTagPaths(
  search: Search,
  deviceIds: readonly string[],
  limit: number,
): Promise<readonly TagPath[]> {
  const every = Math.ceil(deviceIds.length / readDevices)
  const some = deviceIds.filter((_, index) => index % every === 0)
  const twins = await search<{ tags: JsonObject }>(sql`
    select tags from twins where device_id = any(${texts(some)}) order by device_id`)
  const uses = new Map<TagPath, { count: number; readonly values: Set<string> }>()
  for (const { tags } of twins) {
    for (const [path, value] of leavesOf(tags)) {
      const use = uses.get(path) ?? { count: 0, values: new Set() }
      uses.set(path, use)
      use.count += 1
      use.values.add(JSON.stringify(value))
    }
  }
  return [...uses]
    .toSorted(([, one], [, other]) => other.count - one.count || one.values.size - other.values.size)
    .slice(0, limit)
    .map(([path]) => path)
}

function leavesOf(tags: JsonObject, prefix = ''): readonly (readonly [TagPath, Json])[] {
  return Object.entries(tags).flatMap(([name, value]) => {
    if (isJsonObject(value)) return leavesOf(value, `${prefix}${name}.`)
    return value === null || Array.isArray(value) ? [] : [[`${prefix}${name}`, value] as const]
  })
}
