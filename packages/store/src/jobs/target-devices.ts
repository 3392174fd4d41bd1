import type { Expression } from '@muster/query'
import { type SQL, sql } from 'drizzle-orm'
import { twinSources, twinsWhere } from '../queries/twin-sources.ts'

/** The devices that a job over a condition is for, whatever their state; modules are none. */
export function matchingDevices(where: Expression | null): SQL {
  return sql`select t.device_id ${twinsWhere(twinSources.devices, where)}`
}

/** What the caller listed, known or not: an unknown one ends failed, so that the count is what was asked for. */
export function listedDevices(deviceIds: SQL): SQL {
  return sql`select distinct unnest(${deviceIds}) collate "C" as device_id`
}
