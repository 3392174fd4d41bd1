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
  /**
   * It signs the deliveries, and no answer ever holds it. At least 16 characters, or `whsec_` and base64. A webhook that exists keeps
   * its own when there is none here.
   */
  readonly secret?: string | undefined
}

export interface Webhook {
  readonly id: string
  readonly url: string
  readonly events?: readonly string[]
  readonly jobFilter?: JobFilter
  readonly createdTime: string
}

export const deliveryStatuses = ['pending', 'delivered', 'dead'] as const
export type DeliveryStatus = (typeof deliveryStatuses)[number]

/** One event on its way to one webhook. */
export interface Delivery {
  readonly eventId: string
  readonly jobId: string
  readonly kind: string
  /** Of the event. */
  readonly time: string
  readonly status: DeliveryStatus
  readonly attempts: number
  readonly nextAttemptTime?: string
  readonly endTime?: string
  /** Why the last attempt failed. */
  readonly failure?: string
}

/** What came back from a test call: the status of the answer, or why there was none. */
export interface WebhookTest {
  readonly eventId: string
  readonly status?: number
  readonly failure?: string
}
