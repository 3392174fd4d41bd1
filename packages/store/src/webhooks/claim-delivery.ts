import type { JobEvent, WebhookKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { eventColumns, type JobEventRow, toJobEvent } from '../events/job-event-rows.ts'
import { at, type Db, rows } from '../postgres/sql.ts'

/** For so long nobody else sends the event. A call takes 10 s at most, and what it came to is written within seconds. */
export const leaseMs = 20_000

export interface ClaimedDelivery {
  readonly webhookKey: WebhookKey
  readonly webhookId: string
  readonly url: string
  readonly secret: string
  readonly event: JobEvent
  /** With this one. The fence of what it comes to. */
  readonly attempts: number
}

/**
 * Takes the next event of a webhook that is due, for `leaseMs`. An event waits for those of the same job that came before it and are
 * neither delivered nor dead. Of several at once, the one that has been due for longest. Null when there is none, or the webhook is gone.
 */
export async function claimDelivery(db: Db, key: WebhookKey, now: Date): Promise<ClaimedDelivery | null> {
  const [row] = await rows<ClaimRow>(
    db,
    sql`
    with due as (
      select d.job_key, d.webhook_key, d.event_no
        from webhook_deliveries d
       where d.webhook_key = ${key}
         and d.state = 'pending'
         and d.not_before <= ${at(now)}
         and ${isFirst}
       order by d.not_before, d.event_no
       limit 1
         for update skip locked),
    claimed as (
      update webhook_deliveries d
         set attempts = attempts + 1, not_before = ${at(new Date(now.getTime() + leaseMs))}
        from due
       where d.job_key = due.job_key and d.webhook_key = due.webhook_key and d.event_no = due.event_no
         and d.state = 'pending'
         and exists (select from webhooks where webhook_key = ${key})
      returning d.job_key, d.webhook_key, d.event_no, d.attempts)
    select ${eventColumns}, claimed.attempts, webhook.webhook_id, webhook.url, webhook.secret
      from claimed
      join webhooks webhook using (webhook_key)
      join job_events e using (job_key, event_no)
      join jobs using (job_key)`,
  )
  if (row === undefined) return null
  return {
    webhookKey: key,
    webhookId: row.webhook_id,
    url: row.url,
    secret: row.secret,
    event: toJobEvent(row),
    attempts: row.attempts,
  }
}

/** The few deliveries of its job are looked up by their key. A condition on their state would invite Postgres to read all that wait. */
const isFirst = sql.raw(
  `d.event_no = (select min(own.event_no) filter (where own.state = 'pending')
                       from webhook_deliveries own
                      where own.job_key = d.job_key
                        and own.webhook_key = d.webhook_key)`,
)

interface ClaimRow extends JobEventRow {
  readonly webhook_id: string
  readonly url: string
  readonly secret: string
  readonly attempts: number
}
