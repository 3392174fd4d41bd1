import { type WebhookKey, webhookKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { type Db, rows } from '../../src/postgres/sql.ts'
import { type ClaimedDelivery, claimDelivery } from '../../src/webhooks/claim-delivery.ts'
import type { Webhook } from '../../src/webhooks/webhook.ts'
import { putWebhook, type WebhookDraft } from '../../src/webhooks/webhooks.ts'
import { noon } from '../jobs/engine.ts'

export function draft(webhookId: string, changes: Partial<WebhookDraft> = {}): WebhookDraft {
  return {
    webhookId,
    url: 'https://receiver.example/',
    secret: 'sixteen-bytes-at-least',
    kinds: null,
    jobIdPrefix: null,
    jobType: null,
    ...changes,
  }
}

export async function givenWebhook(db: Db, webhookId: string, changes: Partial<WebhookDraft> = {}): Promise<Webhook> {
  const put = await putWebhook(db, draft(webhookId, changes), noon)
  if (put.kind !== 'put') throw new Error(`the webhook ${webhookId} was not put: ${put.kind}`)
  return put.webhook
}

/** A claim that a test expects to succeed. */
export async function claimed(db: Db, key: WebhookKey, now = noon): Promise<ClaimedDelivery> {
  const claim = await claimDelivery(db, key, now)
  if (claim === null) throw new Error('there was no delivery to claim')
  return claim
}

/** The deliveries as `<webhook> <job> <kind> <state>`, in the order of their events. */
export async function deliveriesIn(db: Db): Promise<readonly string[]> {
  const found = await rows<{ text: string }>(
    db,
    sql`
    select concat_ws(' ', webhook_id, job_id, event.kind, d.state) as text
      from webhook_deliveries d
      join webhooks using (webhook_key)
      join job_events event using (event_no)
      join jobs on jobs.job_key = d.job_key
     order by event_no, webhook_id`,
  )
  return found.map(({ text }) => text)
}

export const noWebhook = webhookKey('999999')
