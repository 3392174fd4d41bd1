import type { Target } from '@muster/contract'
import { parseCondition } from '@muster/query'
import { type SQL, sql } from 'drizzle-orm'
import { withinQueryTime } from '../../postgres/query-time.ts'
import { type Db, texts } from '../../postgres/sql.ts'
import { listedDevices, matchingDevices } from './target-devices.ts'

/** The result for a job that would freeze its target set now. */
export interface TargetPreview {
  /** As in the statistics of the job: listed devices that do not exist count too. */
  readonly deviceCount: number
  readonly disabledCount: number
  readonly disconnectedCount: number
  /** Listed devices that do not exist. They count as neither disabled nor disconnected. */
  readonly unknownCount: number
  /** The first in the order of their ids, at most 100. */
  readonly sample: readonly PreviewedDevice[]
}

type PreviewedDevice =
  | {
      readonly deviceId: string
      readonly status: 'enabled' | 'disabled'
      readonly connectionState: 'Connected' | 'Disconnected'
    }
  | { readonly deviceId: string; readonly status: 'unknown' }

const sampleSize = 100

/**
 * Finds the devices of a target as the start of a job does, in one statement that writes nothing.
 * @throws HubError GatewayTimeout when it takes too long; QueryError when the condition does not parse
 */
export async function previewTarget(db: Db, target: Target): Promise<TargetPreview> {
  const devices =
    target.kind === 'devices'
      ? listedDevices(texts(target.deviceIds))
      : matchingDevices(parseCondition(target.queryCondition))
  const [preview] = await withinQueryTime(db, (search) =>
    search<TargetPreview & Record<string, unknown>>(sql`
    with target as materialized (${devices}),
    sample as (select device_id from target order by device_id limit ${sampleSize})
    select count(*)::int as "deviceCount",
           count(*) filter (where status = 'disabled')::int as "disabledCount",
           count(*) filter (where not is_connected)::int as "disconnectedCount",
           count(*) filter (where status = 'unknown')::int as "unknownCount",
           (select coalesce(jsonb_agg(${shown} order by device_id), '[]')
              from (${stateOf(sql`sample`)}) as sampled) as sample
      from (${stateOf(sql`target`)}) as counted`),
  )
  if (preview === undefined) throw new Error('an aggregate without groups returns one row')
  return preview
}

/** `is_connected` is null for a device that does not exist. */
function stateOf(devices: SQL): SQL {
  return sql`
    select device_id,
           coalesce(d.status, 'unknown') as status,
           case when d.status is not null then s.gateway_id is not null end as is_connected
      from ${devices}
      left join devices d using (device_id)
      left join sessions s using (device_id)`
}

const shown = sql`
  jsonb_strip_nulls(jsonb_build_object(
    'deviceId', device_id, 'status', status,
    'connectionState', case when is_connected then 'Connected' when not is_connected then 'Disconnected' end))`
