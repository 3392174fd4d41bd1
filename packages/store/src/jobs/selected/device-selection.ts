import type { DeviceJobStatus } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { type Db, rows, texts } from '../../postgres/sql.ts'
import { chunksByStatus, deviceJobRows, planByChunk } from '../../queries/device-job-rows.ts'

/** Which devices of a job somebody means. Null: any. */
export interface DeviceSelection {
  readonly statuses: readonly DeviceJobStatus[] | null
  /** Devices that failed have an error, and canceled or skipped ones that may have been called. */
  readonly errorCodes: readonly string[] | null
  readonly deviceIds: readonly string[] | null
}

/** A job with a target set. */
export interface StartedJob {
  readonly key: string
  /** The partition of its chunks and device jobs. */
  readonly week: string
}

/** So many ids are looked up one by one, in the chunks and rows that can have them. More are compared with all. */
const fewIds = 100

/** The `device_id` of each device of a job that is selected, as the statement sees it. After `planFor`. */
export function selectedDevices({ key, week }: StartedJob, selection: DeviceSelection): SQL {
  const { errorCodes, deviceIds } = selection
  const statuses = statusesOf(selection)
  const isWanted = sql`c.week = ${week}::date and c.job_key = ${key}::bigint and ${mayHold(deviceIds)} and ${hasOneOf(statuses)}`
  return sql`
    select device_job.device_id
      from (${deviceJobRows(isWanted, statuses)}) as device_job
     where ${statuses === null ? sql`true` : sql`device_job.status = any(${texts(statuses)})`}
       and ${errorCodes === null ? sql`true` : sql`device_job.error_code = any(${texts(errorCodes)})`}
       and ${isListed(sql`device_job.device_id`, deviceIds)}`
}

/** Settings for the rest of a transaction in which many devices are looked at. */
export async function planFor(tx: Db, { deviceIds }: DeviceSelection): Promise<void> {
  if (deviceIds === null || deviceIds.length > fewIds) await rows(tx, planByChunk)
}

/** Whether a chunk `c` can hold one of these devices. */
export function mayHold(deviceIds: readonly string[] | null): SQL {
  if (deviceIds === null || deviceIds.length > fewIds) return sql`true`
  return sql`exists (
    select from unnest(${texts(deviceIds)}) as id
     where id collate "C" between c.device_ids[1] and c.device_ids[c.device_count])`
}

/** Whether a device is one of these. */
export function isListed(deviceId: SQL, deviceIds: readonly string[] | null): SQL {
  return deviceIds === null ? sql`true` : sql`${deviceId} in (select unnest(${texts(deviceIds)}) collate "C")`
}

/** Only these have errors. */
function statusesOf({ statuses, errorCodes }: DeviceSelection): readonly DeviceJobStatus[] | null {
  return statuses ?? (errorCodes === null ? null : ['failed', 'canceled', 'skipped'])
}

function hasOneOf(statuses: readonly DeviceJobStatus[] | null): SQL {
  if (statuses === null) return sql`true`
  return sql`(${sql.join([sql`false`, ...statuses.map((status) => chunksByStatus[status])], sql` or `)})`
}
