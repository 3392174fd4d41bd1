import type { Expression } from '@muster/query'
import { type SQL, sql } from 'drizzle-orm'
import { twinSources, twinsWhere } from '../queries/twin-sources.ts'

/** The devices that a condition selects for a job, in any state. Modules are left out. */
export function matchingDevices(where: Expression | null): SQL {
  return sql`select t.device_id ${twinsWhere(twinSources.devices, where)}`
}

/** The devices that the caller listed, also unknown ones. An unknown one ends failed, so the count is the length of the list. */
export function listedDevices(deviceIds: SQL): SQL {
  return sql`select distinct unnest(${deviceIds}) collate "C" as device_id`
}
