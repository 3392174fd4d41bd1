import { findDueWebhooks } from '@muster/store'
import type { WebhookHub } from '../webhooks/deliver-next.ts'
import type { Lanes } from '../webhooks/lanes.ts'

/** Wakes the dispatchers for webhooks that have events to send. While Redis is away, this one sends them itself. */
export async function wakeWebhooks({
  db,
  bus,
  clock,
  lanes,
}: Pick<WebhookHub, 'db' | 'bus' | 'clock'> & { readonly lanes: Lanes }): Promise<number> {
  for (const key of await findDueWebhooks(db, clock.now())) {
    if (!(await bus.wakeWebhook(key, clock.now()))) lanes.open(key)
  }
  return 0
}
