import { type EventIds, formatInstant, type Vocabulary, withTexts } from '@muster/contract'
import type { Delivery, Webhook } from '@muster/store'
import { z } from 'zod'

const time = z.string()

export const webhookSchema = z.object({
  id: z.string(),
  url: z.string(),
  events: z.string().array().optional(),
  jobFilter: z.object({ jobIdPrefix: z.string().optional(), type: z.string().optional() }).optional(),
  createdTime: time,
})

export const deliverySchema = z.object({
  eventId: z.string(),
  jobId: z.string(),
  kind: z.string(),
  time,
  status: z.string(),
  attempts: z.int(),
  nextAttemptTime: time.optional(),
  endTime: time.optional(),
  failure: z.string().optional(),
})

/** A webhook as reads show it: without its secret. */
export function webhookJson(webhook: Webhook, vocabulary: Vocabulary): string {
  const { webhookId, url, kinds, jobIdPrefix, jobType, createdTime } = webhook
  const jobFilter = {
    ...(jobIdPrefix === null ? {} : { jobIdPrefix }),
    ...(jobType === null ? {} : { type: vocabulary.type[jobType] }),
  }
  return withTexts({
    id: webhookId,
    url,
    ...(kinds === null ? {} : { events: [...kinds] }),
    ...(Object.keys(jobFilter).length === 0 ? {} : { jobFilter }),
    createdTime: formatInstant(createdTime),
  })
}

export function deliveryJson(delivery: Delivery, eventIds: EventIds): string {
  const { eventNo, jobId, kind, eventTime, state, attempts, nextTime, endTime, failure } = delivery
  return withTexts({
    eventId: eventIds.of(eventNo),
    jobId,
    kind,
    time: formatInstant(eventTime),
    status: state,
    attempts,
    ...(nextTime === null ? {} : { nextAttemptTime: formatInstant(nextTime) }),
    ...(endTime === null ? {} : { endTime: formatInstant(endTime) }),
    ...(failure === null ? {} : { failure }),
  })
}
