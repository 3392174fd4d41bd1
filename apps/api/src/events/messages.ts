import type { EventIds, JobEvent } from '@muster/contract'
import { eventJson, writeJson } from '@muster/contract'
import type { JobCounts } from '@muster/store'

// Messages of a text/event-stream: https://html.spec.whatwg.org/multipage/server-sent-events.html. Written once for all who listen.

const encoder = new TextEncoder()

/** A comment. It shows the reader and all between that the connection lives. */
export const heartbeat = encoder.encode(': heartbeat\n\n')

/**
 * The first message. It brings the headers on their way, and says after how many ms a browser connects again. Not the same for all, or a
 * process that stops would send all its readers to the others at once.
 */
export function firstMessage(random: number): Uint8Array {
  return encoder.encode(`retry: ${1_000 + Math.floor(4_000 * random)}\n\n`)
}

/** Where a listener begins that has no event. Its id alone would do for a browser, but other readers drop a message without data. */
export function openedMessage(eventId: string): Uint8Array {
  return encoder.encode(`event: opened\nid: ${eventId}\ndata: {}\n\n`)
}

export function eventMessage(event: JobEvent, ids: EventIds): Uint8Array {
  const eventId = ids.of(event.no)
  return encoder.encode(`event: ${event.kind}\nid: ${eventId}\ndata: ${JSON.stringify(eventJson(event, eventId))}\n\n`)
}

/** Without an id: who connects again asks from the last event on. */
export function statisticsMessage({ jobId, status, statistics }: JobCounts): Uint8Array {
  return encoder.encode(
    `event: statistics\ndata: ${writeJson({ jobId, status, deviceJobStatistics: { ...statistics } })}\n\n`,
  )
}

export function droppedMessage(reason: string): Uint8Array {
  return encoder.encode(`event: dropped\ndata: ${JSON.stringify({ reason })}\n\n`)
}
