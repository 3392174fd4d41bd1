import { isLast, type JobEvent, type JobKey } from '@muster/contract'
import type { Caller } from '../http/endpoint.ts'
import type { EventStream } from './event-stream.ts'

export interface ListenRequest {
  /** Null: all jobs. */
  readonly jobKey: JobKey | null
  /** The listener wants the events behind the one of this number. 0: from the first one on. */
  readonly after: number
  /** It has no event yet, and wants those from now on. It is told where that is, in case it comes back before it has one. */
  readonly isNew: boolean
  /** It has the last event of its job, and may lack the last statistics. */
  readonly hasEnd: boolean
  /** When its stream has to end, in ms since 1970. */
  readonly expiresAtMs: number
  /** Closes its connection at once. */
  readonly cut: () => void
  /** For the log. */
  readonly jobId: string | null
  readonly caller: Caller
}

/** Who listens: an answer that goes on. */
export interface Listener extends Pick<ListenRequest, 'jobKey' | 'expiresAtMs'> {
  readonly stream: EventStream
  readonly trackingId: string
  after: number
  hasEnd: boolean
  /** It has what was before, and hears what comes. */
  isLive: boolean
  /** It has got statistics. */
  isCounted: boolean
}

/** Whether the listener wants the event and does not have it. */
export function lacks({ jobKey, after }: Listener, event: JobEvent): boolean {
  return (jobKey ?? event.jobKey) === event.jobKey && event.no > after
}

/** The listener has the event. */
export function note(listener: Listener, event: JobEvent): void {
  listener.after = event.no
  if (listener.jobKey !== null && isLast(event)) listener.hasEnd = true
}
