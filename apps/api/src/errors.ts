import { errorCodes, HubError } from '@muster/contract'
import { isDatabaseLost } from '@muster/store'
import { jsonReply } from './reply.ts'

/** `envelope` is the shape of registry, twin, query and job errors; `nested` is the one of direct methods. */
export type ErrorForm = 'envelope' | 'nested'

/** What a caller quotes to the operator, who finds it in the log: `<32 hex digits>-G:0-TimeStamp:<MM/dd/yyyy HH:mm:ss>`. */
export function trackingIdOf(requestId: string, now: Date): string {
  const [, year, month, day, time] = /^(.+)-(..)-(..)T(.{8})/.exec(now.toISOString()) ?? []
  return `${requestId.replaceAll('-', '')}-G:0-TimeStamp:${month}/${day}/${year} ${time}`
}

/** The error that a caller sees. What is no HubError is a bug or lost infrastructure: its text stays inside. */
export function callersError(error: unknown): HubError {
  if (error instanceof HubError) return error
  if (isDatabaseLost(error)) {
    return new HubError('ServiceUnavailable', { message: 'The hub cannot reach its database; try again', cause: error })
  }
  return new HubError('ServerError', {
    message: 'The hub met an unexpected error; the log has it under the tracking id',
    cause: error,
  })
}

export function errorReply(error: HubError, request: { trackingId: string; form: ErrorForm; now: Date }): Response {
  const body = request.form === 'nested' ? nested(error, request) : envelope(error, request.trackingId)
  return jsonReply(error.httpStatus, body, { 'iothub-errorcode': error.code })
}

function envelope(error: HubError, trackingId: string) {
  return { Message: `ErrorCode:${error.code};${error.message}`, ExceptionMessage: `Tracking ID:${trackingId}` }
}

/** `Message` is JSON inside a string: so the SDKs of 2018 and later read it. */
function nested(error: HubError, { trackingId, now }: { trackingId: string; now: Date }) {
  const message = JSON.stringify({
    errorCode: errorCodes[error.code],
    trackingId,
    message: error.message,
    info: error.info,
    timestampUtc: now.toISOString(),
  })
  return { Message: message, ExceptionMessage: '' }
}
