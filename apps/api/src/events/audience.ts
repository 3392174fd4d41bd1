import { HubError } from '@muster/contract'
import type { Events, StreamEnd } from '@muster/runtime'
import { openEventStream } from './event-stream.ts'
import type { Listener, ListenRequest } from './listener.ts'
import { droppedMessage, firstMessage, heartbeat } from './messages.ts'

/** All who listen in this process. */
export interface Audience {
  /** @throws HubError ServiceUnavailable when too many listen, or the process stops */
  enter(request: ListenRequest): Listener
  has(listener: Listener): boolean
  all(): readonly Listener[]
  /** Gives a message to a listener. One that lags too far is dropped. */
  send(listener: Listener, message: Uint8Array): void
  /** Ends the answer of a listener. A listener that is gone already stays so. */
  end(listener: Listener, reason: StreamEnd): void
  /** Ends all answers, and lets nobody enter any more. */
  close(): void
}

/** Each costs about 20 KB with its connection, and 1 MiB more at most while it lags. */
export const listenersMax = 2_000

/** Proxies cut a connection after 30 or 60 s of silence. */
export const heartbeatMs = 15_000

/** What a listener is told, unless the end is what it expects. */
const endTexts: Readonly<Partial<Record<StreamEnd, string>>> = {
  slow: 'Too much was waiting to be read; connect again with the last event id',
  expired: 'The token has expired, or the stream is an hour old; connect again with the last event id',
  failed: 'The hub could not read the events; connect again with the last event id',
}

export function createAudience(events: Pick<Events, 'eventStreamOpened' | 'eventStreamEnded'>): Audience {
  const listeners = new Set<Listener>()
  /** Also those that are told to end and have not taken it yet. */
  let openCount = 0
  let isClosed = false
  let beat: NodeJS.Timeout | undefined

  const forget = (listener: Listener, reason: StreamEnd): boolean => {
    if (!listeners.delete(listener)) return false
    if (listeners.size === 0) clearInterval(beat)
    events.eventStreamEnded({ reason, trackingId: listener.trackingId })
    return true
  }
  const end = (listener: Listener, reason: StreamEnd) => {
    if (!forget(listener, reason)) return
    const text = endTexts[reason]
    if (text === undefined) listener.stream.end()
    else listener.stream.drop(droppedMessage(text))
  }
  const send = (listener: Listener, message: Uint8Array) => {
    if (!listener.stream.send(message)) end(listener, 'slow')
  }

  return {
    enter({ jobKey, after, hasEnd, expiresAtMs, jobId, caller, cut }) {
      if (isClosed) throw unavailable('This process stops')
      if (openCount >= listenersMax) throw unavailable(`${listenersMax} listeners are connected to this process`)
      const onOver = () => {
        openCount -= 1
        forget(listener, 'left')
      }
      const stream = openEventStream({ cut, onOver })
      openCount += 1
      const { trackingId } = caller
      const listener: Listener = {
        jobKey,
        after,
        hasEnd,
        expiresAtMs,
        trackingId,
        stream,
        isLive: false,
        isCounted: false,
      }
      listeners.add(listener)
      if (listeners.size === 1) {
        // Who has something to read needs no heartbeat.
        beat = setInterval(() => {
          for (const each of listeners) if (each.stream.isTaken()) send(each, heartbeat)
        }, heartbeatMs).unref()
      }
      events.eventStreamOpened({ jobId, ...caller })
      send(listener, firstMessage(Math.random()))
      return listener
    },
    has: (listener) => listeners.has(listener),
    all: () => [...listeners],
    send,
    end,
    close() {
      isClosed = true
      for (const listener of [...listeners]) end(listener, 'stopping')
    },
  }
}

function unavailable(reason: string): HubError {
  return new HubError('ServiceUnavailable', { message: `${reason}; try again`, retryAfterMs: 2_000 })
}
