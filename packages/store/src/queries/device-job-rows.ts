import {
  type DeviceJobStatus,
  formatInstant,
  type JsonObject,
  type KeptAttempt,
  type MemberTexts,
  methodRequestText,
  parsedText,
  withTexts,
} from '@muster/contract'
import type { Column, Columns } from '@muster/query'
import { type SQL, sql } from 'drizzle-orm'
import { instant, texts } from '../postgres/sql.ts'

/**
 * A row for every device of the chunks for which `isWanted`, a predicate on `chunks c`, is true, also without a row in `device_jobs`.
 * With `statuses`, at least for devices with one of these. The first of these gives the state of a device: its own row, if an attempt
 * has begun; the lease of its chunk; `rest`, for all other devices; else it is pending. Run it with `planByChunk`.
 */
export function deviceJobRows(isWanted: SQL, statuses: readonly DeviceJobStatus[] | null = null): SQL {
  return sql`
    select c.week, c.job_key, c.chunk_no, r.device_id,
           j.job_id, j.type as job_type, case j.type when 'scheduleDeviceMethod' then j.body end as method,
           greatest(j.start_at, j.created_at) as start_at,
           coalesce(j.paused_at + j.window_left, j.deadline_at) as deadline_at, j.frozen_at as created_at,
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
           coalesce(r.deliveries, 0) as deliveries, r.delivered_at,
           case said.by when 'row' then r.response end as response,
           case when ${isLeftOver} and ${mayHaveBeenCalled} then 'DeviceConnectionClosedRemotely'
                when said.by = 'row' then r.error_code
                when said.by = 'rest' and c.rest = 'expired' then 'JobRunPreconditionFailed'
           end as error_code,
           case when ${isLeftOver} and ${mayHaveBeenCalled} then ${answerMissing}
                when said.by = 'row' then r.error_text
                when said.by = 'rest' and c.rest = 'expired' then ${windowOver}
           end as error_text,
           r.attempts
      from chunks c
      join jobs j on j.job_key = c.job_key
     cross join lateral (${statuses === null ? everyDevice : devicesWith(statuses)}
        offset 0) as r
     cross join lateral (
        select case
                 when r.status <> 'pending' then 'row'
                 when r.status is null and c.status = 'leased' and c.rest is distinct from 'completed' then 'lease'
                 when c.rest is not null then 'rest'
               end as by) as said
     where ${isWanted}`
}

const ownRows = sql`
            select device_id as key, status, deliveries, unknown_deliveries, delivered_at, asked_since, updated_at, response, error_code, error_text,
                   attempts
              from device_jobs
             where week = c.week and job_key = c.job_key and chunk_no = c.chunk_no
               and device_id between c.device_ids[1] and c.device_ids[c.device_count]`

const everyDevice = sql`
        select target.device_id, own.*
          from (select id collate "C" as device_id from unnest(c.device_ids) as id) as target
          left join (${ownRows}) as own on own.key = target.device_id`

/** Few devices of a chunk fail. If only rows can have these statuses, devices without a row are not read. */
function devicesWith(statuses: readonly DeviceJobStatus[]): SQL {
  const isToldByChunk = sql`(${sql.join([sql`false`, ...statuses.map((status) => toldByChunk[status])], sql` or `)})`
  return sql`${everyDevice}
         where ${isToldByChunk}
         union all
        select own.key, own.*
          from (${ownRows}) as own
         where status = any(${texts(statuses)}) and not ${isToldByChunk}`
}

/** Whether a device of a chunk c may have this status without a row that says so. */
const toldByChunk: Record<DeviceJobStatus, SQL> = {
  pending: sql`true`,
  running: sql`c.status = 'leased'`,
  completed: sql`c.rest is not distinct from 'completed'`,
  failed: sql`c.rest is not distinct from 'expired'`,
  canceled: sql`true`,
  skipped: sql`false`,
}

/**
 * Settings for the rest of the transaction, which make Postgres join the devices and rows of a chunk by a hash, 500 with 500. After a
 * table has just grown, the planner may expect few rows and compare each with each. To start parallel workers takes longer than a
 * batch of chunks.
 */
export const planByChunk: SQL = sql`
  select set_config('enable_nestloop', 'off', true), set_config('max_parallel_workers_per_gather', '0', true)`

/** It ended without an outcome: with the rest of its chunk, or by itself. */
const isLeftOver = sql`(said.by = 'rest' or r.status in ('canceled', 'skipped'))`

/** A call reached the device, or a worker was lost that may have called it. A twin job calls nobody. */
const mayHaveBeenCalled = sql`(
                    r.deliveries + r.unknown_deliveries > 0 or r.asked_since is not null or (r.status is null and c.asked_since is not null))`

/** The text of the error of a device whose job was over while a call to it was, or may have been, under way. */
export const answerMissing = 'The job was over, and the device may have been called: whether it acted is not known.'

/** The text of the error of a device that the window of its job did not reach. */
export const windowOver =
  'The window of the job was over before it could start on this device: the device was not online, or the window was too short.'

/** The chunks that can have a device of this status. Counters are exact, because the statement that changes a state moves them. */
export const chunksByStatus: Record<DeviceJobStatus, SQL> = {
  pending: sql`(c.rest is null and c.succeeded + c.failed + c.canceled + c.running < c.device_count)`,
  running: sql`(c.running > 0 or c.status = 'leased')`,
  completed: sql`c.succeeded > 0`,
  failed: sql`c.failed > 0`,
  canceled: sql`c.canceled > c.skipped`,
  skipped: sql`c.skipped > 0`,
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
  [
    'deliveries',
    {
      kind: 'number',
      undefinedWhenNull: true,
      sql: `case device_job.job_type when 'scheduleDeviceMethod' then device_job.deliveries end`,
    },
  ],
  [
    'cloudToDeviceMethod',
    {
      kind: 'json',
      sql: `device_job.method::jsonb
            || jsonb_build_object('payload', ${searchable("(device_job.method->>'payload')")})`,
    },
  ],
  ['lastDeliveryTimeUtc', { kind: 'instant', undefinedWhenNull: true, sql: 'device_job.delivered_at' }],
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

/**
 * The answer of a device may have U+0000 and halves of surrogate pairs, which jsonb refuses. The search replaces them by U+FFFD.
 * `u0000` is an escape only after an odd number of backslashes.
 */
function searchable(column: string): string {
  const unstorable = String.raw`(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f][0-9a-f]{2})`
  return String.raw`regexp_replace(${column}::text, '${unstorable}', '\1\\ufffd', 'g')::jsonb`
}

export const shownColumns: SQL = sql.raw(
  `week::text, job_key::text, chunk_no, device_id, job_id, job_type, status, start_at::text, deadline_at::text,
   created_at::text, last_updated_at::text, deliveries, delivered_at::text, response::text, method::text, error_code, error_text,
   attempts`,
)

export interface DeviceJobRow extends Record<string, unknown> {
  readonly week: string
  readonly job_key: string
  readonly chunk_no: number
  readonly device_id: string
  readonly job_id: string
  readonly job_type: string
  readonly status: string
  readonly start_at: string
  readonly deadline_at: string
  readonly created_at: string
  readonly last_updated_at: string
  readonly deliveries: number
  readonly delivered_at: string | null
  /** JSON. */
  readonly response: string | null
  /** The stored body of a method job, as JSON. */
  readonly method: string | null
  readonly error_code: string | null
  readonly error_text: string | null
  /** Null: none was kept. */
  readonly attempts: readonly KeptAttempt[] | null
}

/** The members of a device job on the wire, beside its texts. `endTimeUtc` is the deadline, and not the end of the work on the device. */
export function deviceJobMembers(row: DeviceJobRow): JsonObject {
  return {
    deviceId: row.device_id,
    jobId: row.job_id,
    jobType: row.job_type,
    status: row.status,
    startTimeUtc: formatInstant(instant(row.start_at)),
    endTimeUtc: formatInstant(instant(row.deadline_at)),
    createdDateTimeUtc: formatInstant(instant(row.created_at)),
    lastUpdatedDateTimeUtc: formatInstant(instant(row.last_updated_at)),
    ...(row.job_type === 'scheduleDeviceMethod' ? deliveriesOf(row) : {}),
    ...(row.attempts === null ? {} : { attempts: row.attempts.map((one) => ({ ...one })) }),
    ...(row.error_code === null ? {} : { error: { code: row.error_code, description: row.error_text ?? '' } }),
  }
}

/** The answer of the device, and the method that was called: their numbers are as they were sent. */
export function deviceJobTexts({ response, method }: DeviceJobRow): MemberTexts {
  return {
    outcome: withTexts({}, response === null ? {} : { deviceMethodResponse: parsedText(response) }),
    ...(method === null ? {} : { cloudToDeviceMethod: methodRequestText(JSON.parse(method)) }),
  }
}

/** How often the call was written to a connection of the device, and when last. */
function deliveriesOf({ deliveries, delivered_at }: DeviceJobRow): JsonObject {
  return {
    deliveries,
    ...(delivered_at === null ? {} : { lastDeliveryTimeUtc: formatInstant(instant(delivered_at)) }),
  }
}
