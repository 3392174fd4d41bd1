import { type SQL, sql } from 'drizzle-orm'

const largestHash = 2 ** 31 - 1

/** No device has so small a hash. */
export const noHash = -1

/**
 * A number of a device from 0 to `largestHash`, each as likely as the other. A sample by it depends neither on the order of the ids nor on
 * the moment: the same devices are drawn each time.
 */
export function hashOf(id: SQL): SQL {
  return sql`(hashtext(${id}) & ${sql.raw(String(largestHash))})`
}

/** Up to this hash there are about `wanted` of `count` devices, and all if there are no more than `wanted`. */
export function hashBound(wanted: number, count: number): number {
  return count <= wanted ? largestHash : Math.floor((wanted / count) * largestHash)
}
