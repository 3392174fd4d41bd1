import { type JobEvent, type JobEventKind, type JobKey, type JobType, type JsonObject, jobKey } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import type { StoredEventKind } from '../jobs/job-events.ts'
import { toStatistics } from '../jobs/statistics.ts'
import { type Db, instant, rows } from '../postgres/sql.ts'

interface EventsRequest {
  /** Null: of all jobs. */
  readonly jobKey: JobKey | null
  /** Behind the event of this number. 0: from the first one on. */
  readonly after: number
  /** Up to this number. Null: as many as there are. */
  readonly upTo?: number | null
  readonly limit: number
}

/** Events in their order. Those of one job have no gap; of all jobs, a lower number than the last may still come: see `pollJobEvents`. */
export async function readJobEvents(
  db: Db,
  { jobKey: key, after, upTo = null, limit }: EventsRequest,
): Promise<readonly JobEvent[]> {
  const found = await rows<JobEventRow>(
    db,
    sql`
    select ${eventColumns}
      from job_events e
      join jobs using (job_key)
     where event_no > ${after}
       and event_no <= coalesce(${upTo}::bigint, 9223372036854775807)
       and ${key === null ? sql`true` : sql`job_key = ${key}`}
     order by e.event_no
     limit ${limit}`,
  )
  return found.map(toJobEvent)
}

/** Of `job_events e` and `jobs`. Who orders by the number says `e.event_no`: the column of this name is a text. */
export const eventColumns: SQL = sql.raw(
  `e.event_no::text, job_key::text, job_id, type, kind, at::text, actor, client_address, fields`,
)

export interface JobEventRow extends Record<string, unknown> {
  readonly event_no: string
  readonly job_key: string
  readonly job_id: string
  readonly type: JobType
  readonly kind: StoredEventKind
  readonly at: string
  readonly actor: string | null
  readonly client_address: string | null
  readonly fields: {
    readonly reason?: string
    readonly stageNo?: number
    readonly changes?: JsonObject
    readonly deviceCount?: number
    /** As `summedChunks` counts. */
    readonly counts?: readonly number[]
  }
}

export function toJobEvent(row: JobEventRow): JobEvent {
  const { kind, fields } = row
  const statistics = fields.counts === undefined ? null : toStatistics(fields.counts)
  const hasEnded = kind === 'completed' || kind === 'failed' || kind === 'cancelled'
  return {
    no: Number(row.event_no),
    jobKey: jobKey(row.job_key),
    jobId: row.job_id,
    type: row.type,
    kind: shownKind(kind),
    time: instant(row.at),
    actor: row.actor,
    clientAddress: row.client_address,
    status: hasEnded ? kind : null,
    reason: fields.reason ?? null,
    stageNo: fields.stageNo ?? null,
    changes: fields.changes ?? null,
    deviceCount: fields.deviceCount ?? statistics?.deviceCount ?? null,
    statistics,
  }
}

/** The kind of an event as callers read it: who waits for the end of a job does not know how it will end. */
export function shownKind(kind: StoredEventKind): JobEventKind {
  return kind === 'completed' || kind === 'failed' ? 'ended' : kind
}
