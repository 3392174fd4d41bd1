import { type EventIds, eventJson, type WebhookKey, writeJson } from '@muster/contract'
import type { Hub, WebhookCalls } from '@muster/runtime'
import { type ClaimedDelivery, claimDelivery, recordDelivered, recordFailedTry } from '@muster/store'

export type WebhookHub = Pick<Hub, 'db' | 'bus' | 'clock' | 'events' | 'metrics'> & {
  readonly webhookCalls: WebhookCalls
  readonly eventIds: EventIds
}

/**
 * Sends the next due event of a webhook, and records what came of it. False: none is due. A process that dies after the call and before the
 * record leaves the event to whoever claims it after its lease: it is sent again under the same id.
 */
export async function deliverNext(hub: WebhookHub, key: WebhookKey): Promise<boolean> {
  const { db, clock, metrics, webhookCalls, eventIds } = hub
  // The sweep comes back when the time is known again.
  if (!clock.isTrusted()) return false
  const claim = await claimDelivery(db, key, clock.now())
  if (claim === null) return false
  const { url, secret, event } = claim
  const startedAtMs = performance.now()
  const id = eventIds.of(event.no)
  const { failure } = await webhookCalls.send({ url, secret, id, body: writeJson(eventJson(event, id)) })
  metrics.muster_webhook_try_seconds.observe({}, (performance.now() - startedAtMs) / 1000)
  if (failure !== null) await putOff(hub, claim, failure)
  else if (await recordDelivered(db, claim, clock.now()))
    metrics.muster_webhook_tries_total.inc({ outcome: 'delivered' })
  return true
}

/** The URL itself is not logged: its path or its query may be a secret of the receiver. */
async function putOff(
  { db, bus, clock, events, eventIds }: WebhookHub,
  claim: ClaimedDelivery,
  failure: string,
): Promise<void> {
  const { webhookId, url, event, attempts } = claim
  const next = await recordFailedTry(db, claim, failure, clock.now())
  const told = { webhookId, host: new URL(url).host, eventId: eventIds.of(event.no), attempt: attempts, failure }
  if (next.kind === 'dead') events.webhookDead(told)
  if (next.kind !== 'again') return
  events.webhookFailed(told)
  if (!(await bus.wakeWebhook(claim.webhookKey, next.at))) events.wakeUpLost({ kind: 'webhook' })
}
