import type { Json } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { type Db, rows, texts } from '../postgres/sql.ts'

/** The place of a value in a twin: members below each other, from the section on. */
export interface TwinPath {
  readonly section: 'tags' | 'reported'
  readonly steps: readonly string[]
}

/**
 * Values in the twins of these devices, in the order of the paths, 50 at most; null where there is none. A device without a twin is left out,
 * and one above `lastGenerationNo`, which was registered later.
 * With `isLocked` the twins stay as they are until the end of the transaction, and are locked in device id order.
 */
export async function readTwinValues(
  db: Db,
  deviceIds: readonly string[],
  paths: readonly TwinPath[],
  { lastGenerationNo, isLocked }: { readonly lastGenerationNo: number; readonly isLocked: boolean },
): Promise<ReadonlyMap<string, readonly Json[]>> {
  const found = await rows<{ device_id: string; values: readonly Json[] }>(
    db,
    sql`
    select device_id, jsonb_build_array(${sql.join(paths.map(valueAt), sql`, `)}) as values
      from twins t
     where device_id = any(${texts(deviceIds)})
       and generation_no <= ${lastGenerationNo}
     order by device_id
       ${isLocked ? sql`for no key update` : sql``}`,
  )
  return new Map(found.map(({ device_id, values }) => [device_id, values]))
}

const sections: Readonly<Record<TwinPath['section'], SQL>> = { tags: sql`t.tags`, reported: sql`t.reported` }

/** `->` with a text steps only into objects. */
function valueAt({ section, steps }: TwinPath): SQL {
  return steps.reduce((inside, step) => sql`${inside} -> ${step}::text`, sections[section])
}
