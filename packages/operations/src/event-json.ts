import { formatInstant, type JobEventRecord, type JsonText, withTexts } from '@muster/contract'

/** An event of a job as callers read it. Members that are not known are left out; `actor` and `clientAddress` are null for the hub itself. */
export function eventJson(event: JobEventRecord): JsonText {
  return withTexts({
    eventId: event.eventId,
    jobId: event.jobId,
    kind: shownKind(event.kind),
    time: formatInstant(event.time),
    actor: event.actor,
    clientAddress: event.clientAddress,
    type: event.type,
    ...(isEnd(event.kind) ? { status: event.kind } : {}),
    ...(event.deviceCount === null ? {} : { deviceCount: event.deviceCount }),
    ...(event.statistics === null ? {} : { deviceJobStatistics: { ...event.statistics } }),
  })
}

/** The kind of an event as callers read it: who waits for the end of a job does not know how it will end. */
export function shownKind(kind: string): string {
  return kind === 'completed' || kind === 'failed' ? 'ended' : kind
}

function isEnd(kind: string): boolean {
  return kind === 'completed' || kind === 'failed' || kind === 'cancelled'
}
