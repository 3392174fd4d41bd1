import { type JobEventKind, type JobType, limits, webhookKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { briefly } from '../postgres/briefly.ts'
import type { Page, WrittenPageRequest } from '../postgres/page.ts'
import { at, type Db, instant, rows, texts } from '../postgres/sql.ts'
import type { Webhook } from './webhook.ts'

/** A webhook as a caller asks for it. Without a secret it keeps the one that it has. */
export interface WebhookDraft extends Omit<Webhook, 'key' | 'secret' | 'createdTime'> {
  readonly secret: string | null
}

export type Put =
  | { readonly kind: 'put'; readonly webhook: Webhook }
  /** The hub has `limits.webhooks` already. */
  | { readonly kind: 'full' }
  /** A new one needs a secret. */
  | { readonly kind: 'secretMissing' }

/**
 * Adds a webhook, or replaces the one of this id, whose deliveries then go to the new address. Events count from then on: a transaction
 * that has added its event before does not see the webhook. One put at a time, so that the bound holds.
 */
export async function putWebhook(db: Db, draft: WebhookDraft, now: Date): Promise<Put> {
  return briefly(db, async (tx) => {
    // It keeps out other puts, and no reader: jobs read the table with each event.
    await rows(tx, sql`lock table webhooks in share row exclusive mode`)
    const [state] = await rows<{ count: number; secret: string | null }>(
      tx,
      sql`
      select (select count(*) from webhooks)::int as count,
             (select secret from webhooks where webhook_id = ${draft.webhookId}) as secret`,
    )
    const kept = state?.secret ?? null
    if (kept === null && (state?.count ?? 0) >= limits.webhooks) return { kind: 'full' }
    const secret = draft.secret ?? kept
    if (secret === null) return { kind: 'secretMissing' }
    return { kind: 'put', webhook: await writeWebhook(tx, { ...draft, secret }, now) }
  })
}

async function writeWebhook(
  tx: Db,
  { webhookId, url, secret, kinds, jobIdPrefix, jobType }: Omit<Webhook, 'key' | 'createdTime'>,
  now: Date,
): Promise<Webhook> {
  const [row] = await rows<WebhookRow>(
    tx,
    sql`
    insert into webhooks (webhook_id, url, secret, kinds, job_id_prefix, job_type, created_at)
    values (${webhookId}, ${url}, ${secret}, ${kinds === null ? null : texts(kinds)}, ${jobIdPrefix}, ${jobType}, ${at(now)})
        on conflict (webhook_id) do update
       set url = excluded.url,
           secret = excluded.secret,
           kinds = excluded.kinds,
           job_id_prefix = excluded.job_id_prefix,
           job_type = excluded.job_type
    returning ${webhookColumns}`,
  )
  if (row === undefined) throw new Error(`the webhook ${webhookId} was neither added nor replaced`)
  return toWebhook(row)
}

/** Null when there is none of this id. */
export async function readWebhook(db: Db, webhookId: string): Promise<Webhook | null> {
  const [row] = await rows<WebhookRow>(db, sql`select ${webhookColumns} from webhooks where webhook_id = ${webhookId}`)
  return row === undefined ? null : toWebhook(row)
}

/** A page of webhooks, in the order of their ids. */
export async function listWebhooks(db: Db, { limit, after, write }: WrittenPageRequest<Webhook>): Promise<Page> {
  const found = await rows<WebhookRow>(
    db,
    sql`
    select ${webhookColumns}
      from webhooks
     where webhook_id > ${after ?? ''}
     order by webhook_id
     limit ${limit + 1}`,
  )
  const shown = found.slice(0, limit)
  const continuation = found.length > limit ? (shown.at(-1)?.webhook_id ?? null) : null
  return { items: shown.map((row) => write(toWebhook(row))), continuation }
}

/** False when there is none of this id. Nothing of it is sent any more; a sweep removes its deliveries. */
export async function deleteWebhook(db: Db, webhookId: string): Promise<boolean> {
  const deleted = await rows(db, sql`delete from webhooks where webhook_id = ${webhookId} returning webhook_key`)
  return deleted.length === 1
}

const webhookColumns = sql.raw(
  'webhook_key::text, webhook_id, url, secret, kinds, job_id_prefix, job_type, created_at::text',
)

interface WebhookRow extends Record<string, unknown> {
  readonly webhook_key: string
  readonly webhook_id: string
  readonly url: string
  readonly secret: string
  readonly kinds: readonly JobEventKind[] | null
  readonly job_id_prefix: string | null
  readonly job_type: JobType | null
  readonly created_at: string
}

function toWebhook(row: WebhookRow): Webhook {
  return {
    key: webhookKey(row.webhook_key),
    webhookId: row.webhook_id,
    url: row.url,
    secret: row.secret,
    kinds: row.kinds,
    jobIdPrefix: row.job_id_prefix,
    jobType: row.job_type,
    createdTime: instant(row.created_at),
  }
}
