import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { type CallOptions, type Exchange, isAboutCertificate, wait } from './exchange.ts'
import { longBodyOf } from './long-body.ts'
import { MusterError } from './muster-error.ts'
import type { JobEvent, JobStatisticsTold } from './wire.ts'

export interface FollowOptions extends CallOptions {
  /** Goes on after this event, which was received before. */
  readonly lastEventId?: string | undefined
  /** Called when the connection is lost, before the next try. */
  readonly onReconnect?: ((reason: Error) => void) | undefined
}

const firstWaitMs = 500
const longestWaitMs = 30_000

/**
 * What the hub tells on an event stream. When the connection is lost, it opens another one after the last event that it has got, so
 * that none is missing and none comes twice. It waits as long as the hub has asked for, or else half a second; each time that another
 * try fails it waits twice as long, half a minute at most. It ends when the hub says that nothing more will come. Rejects when the hub
 * refuses the stream, when the first connection cannot be made, and for a certificate that is not trusted: no other try would help.
 */
export async function* followEvents(
  exchange: Exchange,
  path: string,
  options: FollowOptions & { readonly endsWithJob: boolean },
): AsyncGenerator<JobEvent | JobStatisticsTold> {
  let { lastEventId } = options
  let hasEnded = false
  let firstMs = firstWaitMs
  let wasOpen = false
  const onOpen = () => {
    wasOpen = true
  }
  const onRetry = (ms: number) => {
    firstMs = ms
  }
  for (let failures = 0; !hasEnded; failures += 1) {
    try {
      for await (const message of connect(exchange, path, { ...options, lastEventId, onOpen, onRetry })) {
        options.signal?.throwIfAborted()
        failures = 0
        lastEventId = message.id ?? lastEventId
        if (message.event === 'dropped') break
        const told = toldBy(message)
        if (told === null) continue
        hasEnded = options.endsWithJob && (hasEnded || told.kind === 'ended' || told.kind === 'cancelled')
        yield told
      }
      if (hasEnded) return
    } catch (error) {
      options.signal?.throwIfAborted()
      if (error === nothingMore) return
      if (!wasOpen || !mayPass(error)) throw error
      options.onReconnect?.(error)
    }
    await wait(waitMs(firstMs, failures), options.signal)
  }
}

const nothingMore = new Error('the hub has told everything')

interface StreamListeners {
  readonly onOpen: () => void
  /** The hub asks for another wait before the next try. */
  readonly onRetry: (ms: number) => void
}

/** One connection, until it ends. */
async function* connect(
  exchange: Exchange,
  path: string,
  { signal, timeoutMs, lastEventId, onOpen, onRetry }: FollowOptions & StreamListeners,
): AsyncGenerator<EventSourceMessage> {
  const headers = { accept: 'text/event-stream', 'last-event-id': lastEventId }
  const response = await exchange.send({ method: 'GET', path, headers, isSafe: true, timeoutMs, signal })
  if (response.status === 204) throw nothingMore
  onOpen()
  const messages: EventSourceMessage[] = []
  const parser = createParser({ onEvent: (message) => messages.push(message), onRetry })
  const decoder = new TextDecoder()
  for await (const chunk of longBodyOf(response, { signal })) {
    parser.feed(decoder.decode(chunk, { stream: true }))
    yield* messages.splice(0)
  }
}

/** Null: no event. `opened` has only an id, the place of the stream before its first event; a later hub may have more such messages. */
function toldBy({ event, data }: EventSourceMessage): JobEvent | JobStatisticsTold | null {
  const told = JSON.parse(data)
  if (event === 'statistics') return { ...told, kind: 'statistics' }
  return typeof told.kind === 'string' ? told : null
}

/** A refusal does not pass, unless it says when to come again. Anything else is a lost connection. */
function mayPass(error: unknown): error is MusterError {
  if (!(error instanceof MusterError) || isAboutCertificate(error)) return false
  return error.status === null || error.status === 429 || error.status >= 500
}

/** Less a random part, so that the readers of a lost process do not come all at once. */
function waitMs(firstMs: number, failures: number): number {
  return Math.min(longestWaitMs, firstMs * 2 ** failures) * (0.5 + Math.random() / 2)
}
