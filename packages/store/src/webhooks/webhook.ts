import type { JobEventKind, JobType, WebhookKey } from '@muster/contract'

/** An address that gets events of jobs. A filter that is null lets everything through. */
export interface Webhook {
  readonly key: WebhookKey
  readonly webhookId: string
  readonly url: string
  readonly secret: string
  readonly kinds: readonly JobEventKind[] | null
  readonly jobIdPrefix: string | null
  readonly jobType: JobType | null
  readonly createdTime: Date
}

/** A delivery that waits for its next try; one that was accepted; one that is not tried any more. */
export const deliveryStates = ['pending', 'delivered', 'dead'] as const
export type DeliveryState = (typeof deliveryStates)[number]
