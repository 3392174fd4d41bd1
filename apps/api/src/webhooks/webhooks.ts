import { clip, HubError, limits } from '@muster/contract'
import type { WebhookCalls } from '@muster/runtime'
import { deleteWebhook, listWebhooks, putWebhook, readWebhook, type Webhook } from '@muster/store'
import type { ApiContext, Deps, Endpoint } from '../http/endpoint.ts'
import { readDocument } from '../http/json-body.ts'
import { type Paging, pageHeaders, pageQuery } from '../http/paging.ts'
import { jsonTextReply } from '../http/reply.ts'
import { parseWebhookBody, parseWebhookId, webhookBodySchema } from './webhook-body.ts'
import { webhookJson, webhookSchema } from './webhook-json.ts'

export function webhookRoutes(
  { db, clock, webhookCalls }: Pick<Deps, 'db' | 'clock'> & { readonly webhookCalls: WebhookCalls },
  paging: Paging,
): readonly Endpoint[] {
  const query = 'webhooks'

  return [
    {
      method: 'get',
      path: '/webhooks',
      operationId: 'listWebhooks',
      summary: 'List webhooks, by their ids',
      permission: 'ServiceConnect',
      throttle: 'jobOperations',
      query: pageQuery,
      headers: pageHeaders,
      reply: webhookSchema.array(),
      async handle(c) {
        const write = (webhook: Webhook) => webhookJson(webhook, c.get('vocabulary'))
        return paging.reply('Webhook', query, await listWebhooks(db, { ...paging.read(c, query), write }))
      },
    },
    {
      method: 'put',
      path: '/webhooks/{id}',
      operationId: 'putWebhook',
      summary: 'Add a webhook, or replace it. Without a secret it keeps the one that it has',
      permission: 'ServiceConnect',
      throttle: 'jobOperations',
      example: {
        body: {
          url: 'https://hooks.example/muster',
          events: ['ended', 'cancelled'],
          jobFilter: { jobIdPrefix: 'reboot-' },
          secret: 'a secret of your own, at least 16 characters',
        },
      },
      body: webhookBodySchema,
      reply: webhookSchema,
      async handle(c) {
        const draft = parseWebhookBody(parseWebhookId(c.req.param('id') ?? ''), readDocument(c).body)
        await refuseInnerAddress(webhookCalls, draft.url)
        const put = await putWebhook(db, draft, clock.now())
        if (put.kind === 'full') throw full()
        if (put.kind === 'secretMissing') throw secretMissing(draft.webhookId)
        return jsonTextReply(200, webhookJson(put.webhook, c.get('vocabulary')))
      },
    },
    {
      method: 'get',
      path: '/webhooks/{id}',
      operationId: 'getWebhook',
      summary: 'Read a webhook, without its secret',
      permission: 'ServiceConnect',
      throttle: 'jobOperations',
      reply: webhookSchema,
      handle: async (c) => jsonTextReply(200, webhookJson(await addressedWebhook(db, c), c.get('vocabulary'))),
    },
    {
      method: 'delete',
      path: '/webhooks/{id}',
      operationId: 'deleteWebhook',
      summary: 'Delete a webhook; what it has not been sent is not sent any more',
      permission: 'ServiceConnect',
      throttle: 'jobOperations',
      reply: null,
      async handle(c) {
        const webhookId = readWebhookId(c)
        if (!(await deleteWebhook(db, webhookId))) throw notFound(webhookId)
        return new Response(null, { status: 204 })
      },
    },
  ]
}

/** @throws HubError GenericNotFound */
export async function addressedWebhook(db: Deps['db'], c: ApiContext): Promise<Webhook> {
  const webhookId = readWebhookId(c)
  const webhook = await readWebhook(db, webhookId)
  if (webhook === null) throw notFound(webhookId)
  return webhook
}

/** @throws HubError ArgumentInvalid for a text that is no id */
function readWebhookId(c: ApiContext): string {
  return parseWebhookId(c.req.param('id') ?? '')
}

/** Each call looks again: this is for the caller, who would not learn of it otherwise. */
async function refuseInnerAddress(calls: WebhookCalls, url: string): Promise<void> {
  const refusal = await calls.refusalOf(new URL(url))
  if (refusal === null) return
  throw new HubError('ArgumentInvalid', {
    message: `url must lead to a public address or to MUSTER_WEBHOOK_ALLOWED_NETWORKS: ${refusal}, got "${clip(url)}"`,
  })
}

function full(): HubError {
  return new HubError('InvalidOperation', {
    message: `the hub has ${limits.webhooks} webhooks already, the most that it can have; delete one`,
  })
}

function secretMissing(webhookId: string): HubError {
  return new HubError('ArgumentNull', {
    message: `secret is missing; the new webhook ${webhookId} needs one of at least ${limits.webhookSecretLengthMin} characters`,
  })
}

function notFound(webhookId: string): HubError {
  return new HubError('GenericNotFound', { message: `There is no webhook with the id ${webhookId}` })
}
