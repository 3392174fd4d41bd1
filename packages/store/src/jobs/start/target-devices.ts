import type { Expression } from '@muster/query'
import { type SQL, sql } from 'drizzle-orm'
import { texts } from '../../postgres/sql.ts'
import { twinSources, twinsWhere } from '../../queries/twin-sources.ts'

/**
 * The devices that a condition selects for a job, in any state, each with its `generation_no`. Modules are left out. `among`: only these are
 * looked at; null: every device of the hub.
 */
export function matchingDevices(where: Expression | null, among: readonly string[] | null = null): SQL {
  const matching = sql`select t.device_id, t.generation_no ${twinsWhere(twinSources.devices, where)}`
  return among === null ? matching : sql`${matching} and t.device_id = any(${texts(among)})`
}

/** The same of those that the caller listed, also unknown ones. An unknown one ends failed, so the count is the length of the list. */
export function listedDevices(deviceIds: SQL): SQL {
  return sql`
    select listed.device_id, t.generation_no
      from (select distinct unnest(${deviceIds}) collate "C" as device_id) as listed
      left join twins t on t.device_id = listed.device_id`
}
