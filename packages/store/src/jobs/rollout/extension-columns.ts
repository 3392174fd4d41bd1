import type { Extensions } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { json } from '../../postgres/sql.ts'
import { isWatched } from '../stages/stage-rows.ts'
import { rateColumns } from './ramp.ts'

/** What the engine looks at of the extensions of a new job: the columns of `jobs`, and their values. */
export function extensionColumns(extensions: Extensions): { readonly names: SQL; readonly values: SQL } {
  const columns = Object.entries(columnsOf(extensions))
  return {
    names: sql.raw(columns.map(([name]) => name).join(', ')),
    values: sql.join(
      columns.map(([, value]) => value),
      sql`, `,
    ),
  }
}

function columnsOf(extensions: Extensions): Readonly<Record<string, SQL>> {
  const { rollout, abort, priority = 500, pauseTimeoutSeconds, targetSelection, maxDevices } = extensions
  const { rate, base, factor, every, on, most } = rateColumns(rollout ?? {})
  return {
    rate: sql`${rate}`,
    ramp_base: sql`${base}`,
    ramp_factor: sql`${factor}`,
    ramp_every: sql`${every}`,
    ramp_on: sql`${on}`,
    ramp_max: sql`${most}`,
    max_in_flight: sql`${rollout?.maximumInFlight ?? null}`,
    priority: sql`${priority}`,
    pause_timeout_seconds: sql`${pauseTimeoutSeconds ?? null}`,
    is_watched: sql`${isWatched(extensions)}`,
    abort_when: abort === undefined ? sql`null` : json(abort.criteria),
    is_continuous: sql`${targetSelection === 'continuous'}`,
    max_devices: sql`${maxDevices ?? null}`,
  }
}
