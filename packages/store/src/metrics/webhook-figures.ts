import { sql } from 'drizzle-orm'
import { at, type Db, rows } from '../postgres/sql.ts'
import { boundedRead } from './bounded-read.ts'

/** Deliveries of a webhook that are looked at for each count. */
const rowsMax = 1_000

export interface WebhookFigures {
  readonly pending: number
  readonly dead: number
  /** For how long the oldest event that is neither delivered nor dead has waited, since it happened or was replayed; 0 if there is none. */
  readonly oldestPendingSeconds: number
}

/** Deliveries of all webhooks. Of each webhook 1,000 are looked at for each count, in the order of their events. */
export async function readWebhookFigures(db: Db, now: Date): Promise<WebhookFigures> {
  const [found] = await boundedRead(db, (tx) =>
    rows<{ pending: number; dead: number; oldest: number }>(
      tx,
      sql`
      select coalesce(sum(pending.count), 0)::int as pending,
             coalesce(sum(dead.count), 0)::int as dead,
             greatest(0, coalesce(extract(epoch from ${at(now)} - min(pending.since)), 0))::float8 as oldest
        from webhooks w,
             lateral (
               select count(*), min(since)
                 from (select dies_at - interval '24 hours' as since
                         from webhook_deliveries d
                        where d.webhook_key = w.webhook_key and d.state = 'pending'
                        order by event_no
                        limit ${rowsMax}) as row) as pending (count, since),
             lateral (
               select count(*)
                 from (select
                         from webhook_deliveries d
                        where d.webhook_key = w.webhook_key and d.state = 'dead'
                        order by event_no
                        limit ${rowsMax}) as row) as dead (count)`,
    ),
  )
  const { pending = 0, dead = 0, oldest = 0 } = found ?? {}
  return { pending, dead, oldestPendingSeconds: oldest }
}
