import { type WebhookKey, webhookKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { at, type Db, rows } from '../postgres/sql.ts'

/** The webhooks that have an event to send now. One look at an index for each webhook, however many deliveries wait. */
export async function findDueWebhooks(db: Db, now: Date): Promise<readonly WebhookKey[]> {
  const found = await rows<{ webhook_key: string }>(
    db,
    sql`
    select webhook_key::text
      from webhooks
     where (select true
              from webhook_deliveries d
             where d.webhook_key = webhooks.webhook_key
               and d.state = 'pending'
               and d.not_before <= ${at(now)}
             limit 1)
     order by random()`,
  )
  return found.map((row) => webhookKey(row.webhook_key))
}
