import type { JobEvent } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { type Db, rows } from '../postgres/sql.ts'
import { eventColumns, type JobEventRow, toJobEvent } from './job-event-rows.ts'

/** What a statement could see of the transactions of the database, by their numbers. */
export interface Snapshot {
  /** All before this one have ended: what they wrote was seen, or will never be. */
  readonly allEndedBefore: bigint
}

/** Where the events of the hub are. */
export interface EventPosition extends Snapshot {
  /** The highest number that is there. 0: there is none. */
  readonly last: number
  /** The highest number that was ever given out, also to an event that is gone or not there yet. */
  readonly given: number
  /** Among the last thousand numbers some have no event: it may still come. */
  readonly hasGap: boolean
}

/** How far back a transaction may lie that has a number and has not ended. It takes as many events in the time of one transaction. */
const recentEvents = 1_000

export async function readEventPosition(db: Db): Promise<EventPosition> {
  const [row] = await rows<SnapshotRow & { last: string; given: string; has_gap: boolean }>(
    db,
    sql`
    select coalesce(max(event_no), 0)::text as last,
           coalesce(pg_sequence_last_value('job_events_event_no_seq'), 0)::text as given,
           coalesce(max(event_no) - case when count(*) < ${recentEvents} then 0 else min(event_no) - 1 end > count(*),
                    false) as has_gap,
           ${snapshotColumns}
      from (select event_no from job_events order by event_no desc limit ${recentEvents}) as recent`,
  )
  if (row === undefined) throw new TypeError('an aggregate without GROUP BY has a row')
  return { last: Number(row.last), given: Number(row.given), hasGap: row.has_gap, ...toSnapshot(row) }
}

/**
 * The next events of all jobs, and the snapshot in which they were read. Numbers are drawn before transactions commit, so a lower number may
 * appear after a higher one. Who draws a number has written before, in the same transaction (`jobEvent`): so a number that is
 * missing below the highest one of this reading belongs to a transaction before any that begins to write now
 * (`drawTransactionNo`). When all before that have ended, it will never come.
 */
export async function pollJobEvents(
  db: Db,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<Snapshot & { readonly events: readonly JobEvent[] }> {
  const found = await rows<JobEventRow & SnapshotRow>(
    db,
    sql`
    select ${eventColumns}, ${snapshotColumns}
      from (select * from job_events where event_no > ${after} order by event_no limit ${limit}) as e
      join jobs using (job_key)
     order by e.event_no`,
  )
  const [first] = found
  // Without an event there is nothing to wait for.
  const snapshot = first === undefined ? { allEndedBefore: 0n } : toSnapshot(first)
  return { events: found.map(toJobEvent), ...snapshot }
}

/**
 * The number of a transaction that begins and ends here. All that have written before have a lower one. `pg_snapshot_xmax` does not say
 * that: it is one more than the last that has ended, and one that is open may have a higher number.
 */
export async function drawTransactionNo(db: Db): Promise<bigint> {
  const [row] = await rows<{ transaction_no: string }>(db, sql`select pg_current_xact_id()::text as transaction_no`)
  if (row === undefined) throw new TypeError('a select without FROM has a row')
  return BigInt(row.transaction_no)
}

const snapshotColumns = sql.raw(`pg_snapshot_xmin(pg_current_snapshot())::text as all_ended_before`)

interface SnapshotRow extends Record<string, unknown> {
  readonly all_ended_before: string
}

function toSnapshot({ all_ended_before }: SnapshotRow): Snapshot {
  return { allEndedBefore: BigInt(all_ended_before) }
}
