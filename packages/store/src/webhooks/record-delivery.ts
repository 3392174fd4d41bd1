import { type SQL, sql } from 'drizzle-orm'
import { at, type Db, instantOrNull, rows } from '../postgres/sql.ts'
import type { ClaimedDelivery } from './claim-delivery.ts'

/** Ends a delivery that was accepted. False when the claim was no longer ours: then another may send the event again. */
export async function recordDelivered(db: Db, claim: ClaimedDelivery, now: Date): Promise<boolean> {
  const changed = await rows(
    db,
    sql`
    update webhook_deliveries
       set state = 'delivered', ended_at = ${at(now)}, failure = null
     where ${isClaimed(claim)}
    returning event_no`,
  )
  return changed.length === 1
}

export type FailedTry =
  | { readonly kind: 'again'; readonly at: Date }
  | { readonly kind: 'dead' }
  /** The claim was no longer ours. */
  | { readonly kind: 'lost' }

/**
 * Puts off a delivery that failed, and those of the same job behind it, which wait for it; or ends it when its time is over. `failure` says
 * what came back, for people: no text of the receiver.
 */
export async function recordFailedTry(db: Db, claim: ClaimedDelivery, failure: string, now: Date): Promise<FailedTry> {
  const isLast = sql`dies_at <= ${at(now)}`
  const [row] = await rows<{ state: string; not_before: string | null }>(
    db,
    sql`
    with failed as (
      update webhook_deliveries
         set state = case when ${isLast} then 'dead' else 'pending' end,
             ended_at = case when ${isLast} then ${at(now)} end,
             not_before = case when ${isLast} then ${at(now)} else least(dies_at, ${nextTry(now)}) end,
             failures = failures + 1,
             failure = ${failure}
       where ${isClaimed(claim)}
      returning job_key, webhook_key, event_no, state, not_before),
    behind as (
      update webhook_deliveries d
         set not_before = failed.not_before
        from failed
       where d.job_key = failed.job_key and d.webhook_key = failed.webhook_key and d.event_no > failed.event_no
         and d.state = 'pending'
         and failed.state = 'pending'
      returning d.event_no)
    select state, not_before::text from failed`,
  )
  if (row === undefined) return { kind: 'lost' }
  const next = instantOrNull(row.not_before)
  return row.state === 'dead' || next === null ? { kind: 'dead' } : { kind: 'again', at: next }
}

/** After 5 s at first, twice as long each time, an hour at most, up to half of it less at random. */
function nextTry(now: Date): SQL {
  return sql`${at(now)} + least(3600, 5 * 2 ^ least(failures, 12)) * (0.5 + random() / 2) * interval '1 second'`
}

/** The row of a claim that is still ours. */
function isClaimed({ webhookKey, event, attempts }: ClaimedDelivery): SQL {
  return sql`job_key = ${event.jobKey}
       and webhook_key = ${webhookKey}
       and event_no = ${event.no}::bigint
       and state = 'pending'
       and attempts = ${attempts}`
}
