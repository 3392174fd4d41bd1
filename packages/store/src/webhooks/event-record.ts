import type { JobEventRecord, JobType } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { toStatistics } from '../jobs/statistics.ts'
import { instant } from '../postgres/sql.ts'

/**
 * Columns of an event, for a statement that has `job_events` as `event` and `jobs` as `job`. The statistics of a job that has ended a moment
 * ago may not be kept yet, and to sum up its chunks takes long.
 */
export const eventColumns = sql.raw(
  `event.event_no::text as event_id, job.job_id, job.type, event.kind, event.at::text, event.actor,
   event.fields ->> 'clientAddress' as client_address,
   case when event.kind <> 'created' then (select (started.fields ->> 'deviceCount')::int
                                             from job_events started
                                            where started.job_key = event.job_key and started.kind = 'started'
                                            limit 1) end as device_count,
   case when event.kind in ('completed', 'failed', 'cancelled') then job.final_counts end as counts`,
)

export interface EventRow extends Record<string, unknown> {
  readonly event_id: string
  readonly job_id: string
  readonly type: JobType
  readonly kind: string
  readonly at: string
  readonly actor: string | null
  readonly client_address: string | null
  readonly device_count: number | null
  readonly counts: readonly number[] | null
}

export function toEventRecord(row: EventRow): JobEventRecord {
  return {
    eventId: row.event_id,
    jobId: row.job_id,
    type: row.type,
    kind: row.kind,
    time: instant(row.at),
    actor: row.actor,
    clientAddress: row.client_address,
    deviceCount: row.device_count,
    statistics: row.counts === null ? null : toStatistics(row.counts),
  }
}
