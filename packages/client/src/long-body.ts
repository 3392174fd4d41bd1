import { type CallOptions, reasonOf } from './exchange.ts'
import { MusterError } from './muster-error.ts'

/** A stream of events has a comment every 15 s: after three that are missing, the connection is dead. Rows come much sooner. */
const silenceMsDefault = 45_000

/**
 * The body of an answer, a part each time that its reader asks for one; a slow reader has time. Fails with MusterError when the connection
 * is lost, and when nothing comes for `silenceMs` while the reader waits; with the reason of `signal` when that ends it.
 */
export function longBodyOf(
  response: Response,
  { signal, silenceMs = silenceMsDefault }: Pick<CallOptions, 'signal'> & { readonly silenceMs?: number },
): ReadableStream<Uint8Array> {
  const reader = response.body?.getReader()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const part = reader === undefined ? null : await readPart(reader, silenceMs, signal)
        if (part === null) controller.close()
        else controller.enqueue(part)
      },
      cancel: (reason) => reader?.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

/** Null: that was all. */
async function readPart(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  silenceMs: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array | null> {
  let isSilent = false
  const timer = setTimeout(() => {
    isSilent = true
    // It ends the connection, and the read as if that were all.
    reader.cancel().catch(() => undefined)
  }, silenceMs)
  const { value } = await reader
    .read()
    .catch((cause) => {
      signal?.throwIfAborted()
      throw cutOff(cause)
    })
    .finally(() => clearTimeout(timer))
  if (isSilent) throw silentFor(silenceMs)
  return value ?? null
}

function silentFor(silenceMs: number): MusterError {
  return new MusterError('CallTimedOut', { message: `the hub sent no more of its answer for ${silenceMs / 1000} s` })
}

function cutOff(cause: unknown): MusterError {
  return new MusterError('HubUnreachable', { message: `the answer of the hub was cut off: ${reasonOf(cause)}`, cause })
}
