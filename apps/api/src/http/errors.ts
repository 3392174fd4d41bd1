import { errorCodes, HubError } from '@muster/contract'
import { isDatabaseLost, isWorthRepeating } from '@muster/store'
import { jsonReply } from './reply.ts'

/** `envelope` is the shape of registry, twin, query and job errors; `nested` is the one of direct methods. */
export type ErrorForm = 'envelope' | 'nested'

/** A store that restarts is back after seconds. */
const tryAgainMs = 1_000

/** The error that a caller sees. Any error but a HubError is a bug or lost infrastructure, and the caller does not see its text. */
export function callersError(error: unknown): HubError {
  if (error instanceof HubError) return error
  if (isWorthRepeating(error)) {
    const message = isDatabaseLost(error)
      ? 'The hub cannot reach its database; try again'
      : 'The request was given up for others that changed the same at the same time; try again'
    return new HubError('ServiceUnavailable', { message, retryAfterMs: tryAgainMs, cause: error })
  }
  return new HubError('ServerError', {
    message: 'The hub met an unexpected error; the log has it under the tracking id',
    cause: error,
  })
}

export function errorReply(error: HubError, request: { trackingId: string; form: ErrorForm; now: Date }): Response {
  const body = request.form === 'nested' ? nested(error, request) : envelope(error, request.trackingId)
  return jsonReply(error.httpStatus, body, { 'iothub-errorcode': error.code, ...retryAfter(error) })
}

/** In whole seconds, rounded up, so that a caller that waits so long is not too early. */
function retryAfter({ retryAfterMs }: HubError): Readonly<Record<string, string>> {
  return retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) }
}

/** An SDK splits `Message` at semicolons and shows only the second part. It would cut a sentence with a semicolon. */
function inOnePart(message: string): string {
  return message.replaceAll(' ; ', ' semicolon ').replaceAll('; ', ', ')
}

function envelope(error: HubError, trackingId: string) {
  return {
    Message: `ErrorCode:${error.code};${inOnePart(error.message)}`,
    ExceptionMessage: `Tracking ID:${trackingId}`,
  }
}

/** `Message` is JSON inside a string, as the SDKs of 2018 and later read it. None of them splits it at an escaped semicolon. */
function nested(error: HubError, { trackingId, now }: { trackingId: string; now: Date }) {
  const text = JSON.stringify({
    errorCode: errorCodes[error.code],
    trackingId,
    message: error.message,
    info: error.info,
    timestampUtc: now.toISOString(),
  }).replaceAll(';', '\\u003b')
  return { Message: text, ExceptionMessage: '' }
}
