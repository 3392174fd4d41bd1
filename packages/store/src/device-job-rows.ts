import { type DeviceJobStatus, formatInstant, type Json, type JsonObject } from '@muster/contract'
import type { Column, Columns } from '@muster/query'
import { type SQL, sql } from 'drizzle-orm'
import { instant } from './sql.ts'

/**
 * A row for every device of the chunks that `isWanted` picks, whether or not the device has one in `device_jobs`. Tables for
 * `isWanted`: c chunks. What a device's state is, is said by the first of these that says anything: its own row where an
 * attempt has begun; the lease under which its chunk is being attempted; `rest`, for all devices that have no more to
 * say; else it is pending.
 */
export function deviceJobRows(isWanted: SQL): SQL {
  return sql`
    select c.week, c.job_key, c.chunk_no, target.position, target.device_id,
           j.job_id, j.type as job_type, j.start_at, j.deadline_at, j.frozen_at as created_at,
           case said.by
             when 'row' then r.status
             when 'lease' then 'running'
             when 'rest' then case c.rest when 'expired' then 'failed' else c.rest end
             else 'pending'
           end as status,
           case said.by
             when 'row' then r.updated_at
             when 'rest' then c.rest_at
             else coalesce(r.updated_at, j.frozen_at)
           end as last_updated_at,
           case said.by when 'row' then r.response end as response,
           case when said.by = 'row' then r.error_code
                when said.by = 'rest' and c.rest = 'expired' then 'JobRunPreconditionFailed'
           end as error_code,
           case when said.by = 'row' then r.error_text
                when said.by = 'rest' and c.rest = 'expired' then ${windowOver}
           end as error_text
      from chunks c
      join jobs j on j.job_key = c.job_key
     cross join lateral unnest(c.device_ids) with ordinality as target (device_id, position)
      left join lateral (
        select *
          from device_jobs
         where week = c.week and job_key = c.job_key
           and device_id >= c.device_ids[1] and device_id <= c.device_ids[c.device_count]
        offset 0) as r on r.device_id = target.device_id
     cross join lateral (
        select case
                 when r.status in ('completed', 'failed', 'running') then 'row'
                 when r.status is null and c.status = 'leased' and c.rest is distinct from 'completed' then 'lease'
                 when c.rest is not null then 'rest'
               end as by) as said
     where ${isWanted}`
}

const windowOver =
  'The window of the job was over before it could start on this device: the device was not online, or the window was too short.'

/** Which chunks can have a device of this status: the counters move in the statement that changes a state. */
export const chunksByStatus: Record<DeviceJobStatus, SQL> = {
  pending: sql`c.rest is null`,
  running: sql`(c.running > 0 or c.status = 'leased')`,
  completed: sql`c.succeeded > 0`,
  failed: sql`c.failed > 0`,
  canceled: sql`c.canceled > 0`,
}

/** The members of a device job that a condition may name: `deviceJobRows as device_job`. */
export const deviceJobColumns: Columns = new Map<string, Column>([
  ['jobId', { kind: 'text', sql: 'device_job.job_id' }],
  ['jobType', { kind: 'text', sql: 'device_job.job_type' }],
  ['status', { kind: 'text', sql: 'device_job.status' }],
  ['deviceId', { kind: 'text', sql: 'device_job.device_id' }],
  ['startTimeUtc', { kind: 'instant', sql: 'device_job.start_at' }],
  ['endTimeUtc', { kind: 'instant', sql: 'device_job.deadline_at' }],
  ['createdDateTimeUtc', { kind: 'instant', sql: 'device_job.created_at' }],
  ['lastUpdatedDateTimeUtc', { kind: 'instant', sql: 'device_job.last_updated_at' }],
  ['outcome.deviceMethodResponse', { kind: 'json', sql: searchable('device_job.response') }],
  [
    'error',
    {
      kind: 'json',
      sql: `case when device_job.error_code is not null
                  then jsonb_build_object('code', device_job.error_code, 'description', device_job.error_text) end`,
    },
  ],
])

/** A device's answer may hold what jsonb refuses, U+0000 and halves of surrogate pairs: replaced for the search. */
function searchable(column: string): string {
  return `regexp_replace(${column}::text, '\\\\u(0000|d[89a-f][0-9a-f]{2})', '\\\\ufffd', 'g')::jsonb`
}

export const shownColumns: SQL = sql.raw(
  `week::text, job_key::text, chunk_no, position::int, device_id, job_id, job_type, status, start_at::text, deadline_at::text,
   created_at::text, last_updated_at::text, response, error_code, error_text`,
)

export interface DeviceJobRow extends Record<string, unknown> {
  readonly week: string
  readonly job_key: string
  readonly chunk_no: number
  readonly position: number
  readonly device_id: string
  readonly job_id: string
  readonly job_type: string
  readonly status: string
  readonly start_at: string
  readonly deadline_at: string
  readonly created_at: string
  readonly last_updated_at: string
  readonly response: Json | null
  readonly error_code: string | null
  readonly error_text: string | null
}

/** A device job as the wire shows it. `endTimeUtc` is the deadline, not when the device was done. */
export function deviceJobDocument(row: DeviceJobRow): JsonObject {
  return {
    deviceId: row.device_id,
    jobId: row.job_id,
    jobType: row.job_type,
    status: row.status,
    startTimeUtc: formatInstant(instant(row.start_at)),
    endTimeUtc: formatInstant(instant(row.deadline_at)),
    createdDateTimeUtc: formatInstant(instant(row.created_at)),
    lastUpdatedDateTimeUtc: formatInstant(instant(row.last_updated_at)),
    outcome: row.response === null ? {} : { deviceMethodResponse: row.response },
    ...(row.error_code === null ? {} : { error: { code: row.error_code, description: row.error_text ?? '' } }),
  }
}
