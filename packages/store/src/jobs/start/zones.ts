import { type Extensions, isTimeZone, zonePathOf } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { type Db, rows, texts } from '../../postgres/sql.ts'

/** From which tag the zone of a device is read, and the zones that there are. Without a path: UTC counts for all. */
export interface Zoning {
  readonly path: readonly string[] | null
  readonly names: readonly string[]
}

/** Null: the job has no windows. */
export async function zoningOf(tx: Db, { windows }: Extensions): Promise<Zoning | null> {
  if (windows === undefined) return null
  const path = windows.map(zonePathOf).find((found) => found !== null) ?? null
  return { path, names: path === null ? [] : await zoneNames(tx) }
}

/**
 * A part of a statement: `zoned`, the devices of `sliced` in slices anew, in the order of their zones. A slice may have the end of one zone
 * and the beginning of the next: whoever makes chunks cuts it there.
 */
export function slicedByZone(zoning: Zoning, chunkSize: number): SQL {
  return sql`
    zoned as (
      select device_id, generation_no, stage_no, zone,
             (row_number() over (partition by stage_no order by zone, device_id) - 1) / ${chunkSize}::int as slice_no
        from (${withZone(sql`sliced`, zoning)}) as located),`
}

/** The rows of a part of the statement, each with the `zone` of its device. One whose tag is missing, or names no zone, counts as of UTC. */
export function withZone(devices: SQL, { path, names }: Zoning): SQL {
  return sql`
    select ${devices}.*, coalesce(known.name, 'UTC') as zone
      from ${devices}
      left join twins w on w.device_id = ${devices}.device_id
      left join unnest(${texts(names)}) as known (name) on known.name = w.tags #>> ${texts(path ?? [])}`
}

/** To read them from the files of Postgres takes a while, and they change with its release only. */
let namesRead: readonly string[] | null = null

/** The names that Postgres knows, with their older ones. Those that Node does not know are left out. */
async function zoneNames(tx: Db): Promise<readonly string[]> {
  if (namesRead !== null) return namesRead
  const found = await rows<{ name: string }>(tx, sql`select name from pg_timezone_names`)
  namesRead = found.map(({ name }) => name).filter(isTimeZone)
  return namesRead
}
