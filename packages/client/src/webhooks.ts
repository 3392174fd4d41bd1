import type { CallOptions, Exchange } from './exchange.ts'
import { listOf, type PageOptions, type Pages } from './pages.ts'
import type { Delivery, DeliveryStatus, Webhook, WebhookDraft, WebhookTest } from './webhook-wire.ts'

export interface Webhooks {
  /** Creates or replaces it. */
  set(id: string, draft: WebhookDraft, options?: CallOptions): Promise<Webhook>
  /** @throws MusterError when there is no such webhook, as the others below */
  get(id: string, options?: CallOptions): Promise<Webhook>
  list(options?: PageOptions): Pages<Webhook>
  delete(id: string, options?: CallOptions): Promise<void>
  /** Sends a test call now, and tells what came back. */
  test(id: string, options?: CallOptions): Promise<WebhookTest>
  deliveries(id: string, options?: PageOptions & { readonly status?: DeliveryStatus | undefined }): Pages<Delivery>
  /** Sends one event once more. @throws MusterError when it is still pending */
  replay(id: string, eventId: string, options?: CallOptions): Promise<void>
  /** Sends what is dead once more, oldest first, so many at a time as the hub allows. */
  replayDead(id: string, options?: CallOptions): Promise<{ readonly replayedCount: number }>
}

export function createWebhooks(exchange: Exchange): Webhooks {
  const pathOf = (id: string) => `/webhooks/${encodeURIComponent(id)}`
  return {
    set: (id, draft, options) =>
      exchange.read({ method: 'PUT', path: pathOf(id), body: draft, isSafe: false, ...options }),
    get: (id, options) => exchange.read({ method: 'GET', path: pathOf(id), isSafe: true, ...options }),
    list: (options) => listOf(exchange, { method: 'GET', path: '/webhooks', isSafe: true }, options),
    delete: async (id, options) =>
      void (await exchange.read({ method: 'DELETE', path: pathOf(id), isSafe: false, ...options })),
    test: (id, options) => exchange.read({ method: 'POST', path: `${pathOf(id)}/test`, isSafe: false, ...options }),
    deliveries: (id, { status, ...options } = {}) =>
      listOf(exchange, { method: 'GET', path: `${pathOf(id)}/deliveries`, query: { status }, isSafe: true }, options),
    async replay(id, eventId, options) {
      const path = `${pathOf(id)}/deliveries/${encodeURIComponent(eventId)}/replay`
      await exchange.read({ method: 'POST', path, isSafe: false, ...options })
    },
    replayDead: (id, options) =>
      exchange.read({ method: 'POST', path: `${pathOf(id)}/replay`, isSafe: false, ...options }),
  }
}
