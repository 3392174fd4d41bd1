import type { ErrorName } from '@muster/contract'

/** Beside the names of the hub's catalogue: what happens before an answer, or instead of one. */
export type MusterErrorCode = ErrorName | 'HubUnreachable' | 'CallTimedOut' | 'UnknownAnswer'

/** A call that did not succeed. */
export class MusterError extends Error {
  readonly code: MusterErrorCode
  /** The HTTP status of the answer. Null: there was none. */
  readonly status: number | null
  /** What the log of the hub has this call under. */
  readonly trackingId: string | null
  /** After this time another try may succeed. Null: the hub did not say. */
  readonly retryAfterMs: number | null
  /** The body of the answer, when it was JSON. */
  readonly body: unknown

  constructor(
    code: MusterErrorCode,
    options: {
      readonly message: string
      readonly status?: number
      readonly trackingId?: string | null
      readonly retryAfterMs?: number | null
      readonly body?: unknown
      readonly cause?: unknown
    },
  ) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'MusterError'
    this.code = code
    this.status = options.status ?? null
    this.trackingId = options.trackingId ?? null
    this.retryAfterMs = options.retryAfterMs ?? null
    this.body = options.body
  }
}

/** The error that an answer tells of. Reads its body. */
export async function errorOf(response: Response): Promise<MusterError> {
  const text = await response.text().catch(() => '')
  const body = parse(text)
  const { code, message, trackingId } = told(body)
  const name = response.headers.get('iothub-errorcode') ?? code
  return new MusterError(isName(name) ? name : 'UnknownAnswer', {
    message: message ?? `the hub answered ${response.status} ${response.statusText}`.trim(),
    status: response.status,
    trackingId,
    retryAfterMs: retryAfterOf(response.headers.get('retry-after')),
    body,
  })
}

/** Whoever asks takes an unknown name for one of a later version of the hub. */
function isName(text: string | null): text is ErrorName {
  return text !== null && /^[A-Z][A-Za-z]+$/.test(text)
}

interface Told {
  readonly code: string | null
  readonly message: string | null
  readonly trackingId: string | null
}

/** Both forms of an error: `ErrorCode:Name;text`, and JSON in the member `Message`. */
function told(body: unknown): Told {
  const message = memberOf(body, 'Message')
  const nested = message?.startsWith('{') ? parse(message) : undefined
  if (nested !== undefined) {
    return { code: null, message: memberOf(nested, 'message'), trackingId: memberOf(nested, 'trackingId') }
  }
  const [, code = null, text = null] = /^ErrorCode:(\w+);(.*)$/s.exec(message ?? '') ?? []
  const [, trackingId = null] = /^Tracking ID:(\S+)/.exec(memberOf(body, 'ExceptionMessage') ?? '') ?? []
  return { code, message: text ?? message, trackingId }
}

function memberOf(value: unknown, name: string): string | null {
  if (typeof value !== 'object' || value === null) return null
  const member: unknown = Reflect.get(value, name)
  return typeof member === 'string' ? member : null
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** In seconds, as the hub writes it. A proxy may write a date. */
function retryAfterOf(text: string | null): number | null {
  if (text === null) return null
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now()
  return Number.isNaN(ms) ? null : Math.max(0, ms)
}
