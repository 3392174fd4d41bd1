import type { WebhookKey } from '@muster/contract'
import { orAborted } from '@muster/runtime'
import { deliverNext, type WebhookHub } from './deliver-next.ts'

/** Calls of one webhook that one dispatcher has under way, so that a slow receiver is not flooded. */
const lanesPerWebhook = 4
/** Calls of all webhooks. Beyond it each webhook still has one lane: a hundred slow ones do not keep the next one from its events. */
const lanesMax = 64

/** A lane sends the due events of one webhook, one after the other, and ends when none is due. */
export interface Lanes {
  /** Opens lanes for a webhook that has events to send, as far as there is room. Does not wait for their calls, and never throws. */
  open(key: WebhookKey): void
  /** Begins no new call, and waits for those under way. */
  stop(deadline: AbortSignal): Promise<void>
}

export function createLanes(hub: WebhookHub): Lanes {
  const lanes = new Map<WebhookKey, Set<Promise<void>>>()
  let count = 0
  let isStopping = false

  const hasRoom = (own: number) => own === 0 || (own < lanesPerWebhook && count < lanesMax)

  const run = async (key: WebhookKey): Promise<void> => {
    try {
      while (!isStopping && (await deliverNext(hub, key))) {
        // Where one event was due there may be more, for others to send meanwhile.
        open(key)
      }
    } catch (error) {
      // Postgres was lost, or there is a bug. The lease of the event ends, and the sweep finds it.
      hub.events.webhooksFailed({ webhookKey: key, error })
    }
  }

  const open = (key: WebhookKey): void => {
    const own = lanes.get(key) ?? new Set()
    if (isStopping || !hasRoom(own.size)) return
    lanes.set(key, own)
    count += 1
    const lane: Promise<void> = run(key).then(() => {
      own.delete(lane)
      count -= 1
      if (own.size === 0) lanes.delete(key)
    })
    own.add(lane)
  }

  return {
    open,
    async stop(deadline) {
      isStopping = true
      const underWay = [...lanes.values()].flatMap((own) => [...own])
      await orAborted(
        Promise.all(underWay).then(() => {}),
        deadline,
      )
    },
  }
}
