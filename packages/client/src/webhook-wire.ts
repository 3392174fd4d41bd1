/** The bodies of webhooks. Times are ISO 8601. A later hub may add members. */

/** Which events a webhook is for. A member that is left out lets all through. */
export interface JobFilter {
  readonly jobIdPrefix?: string | undefined
  readonly type?: string | undefined
}

export interface WebhookDraft {
  readonly url: string
  /** Kinds of events; left out: all. */
  readonly events?: readonly string[] | undefined
  readonly jobFilter?: JobFilter | undefined
  /** It signs the deliveries, and no answer ever holds it. At least 16 characters, or `whsec_` and base64. */
  readonly secret: string
}

export interface Webhook {
  readonly id: string
  readonly url: string
  readonly events?: readonly string[]
  readonly jobFilter?: JobFilter
}

export const deliveryStatuses = ['pending', 'delivered', 'dead'] as const
export type DeliveryStatus = (typeof deliveryStatuses)[number]

/** One event on its way to one webhook. */
export interface Delivery {
  readonly eventId: string
  readonly jobId?: string
  readonly kind?: string
  readonly status: DeliveryStatus
  readonly attempts?: number
}

/** What came back from a test call. */
export interface WebhookTest {
  readonly status?: number
  readonly [member: string]: unknown
}
