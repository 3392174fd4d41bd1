import { z } from 'zod'
import { clip } from './clip.ts'
import { HubError } from './errors.ts'
import { findTooLarge, type Json, numberTooLarge } from './json.ts'
import { limits } from './limits.ts'
import { jsonSchema } from './schemas.ts'

const methodNamePattern = /^[!#%&'*+\-.0-9A-Z^_`a-z|~]+$/

function secondsWithin(least: number) {
  const most = limits.timeoutSecondsMax
  return z.int().refine((seconds) => seconds >= least && seconds <= most, { error: `within [${least}; ${most}]` })
}

/**
 * A direct method call: body of POST .../methods, and a method job's `cloudToDeviceMethod`. `timeoutInSeconds` is the
 * 2016 name of `responseTimeoutInSeconds`; the newer one wins when both are given.
 */
export const methodRequestSchema = z
  .object({
    methodName: z.string().min(1).max(limits.methodNameLength).regex(methodNamePattern, {
      error: 'of printable US-ASCII without space and $ ( ) < > @ , ; : \\ " / [ ] ? = { }',
    }),
    payload: jsonSchema.optional(),
    responseTimeoutInSeconds: secondsWithin(limits.responseTimeoutSecondsMin).nullish(),
    timeoutInSeconds: secondsWithin(limits.responseTimeoutSecondsMin).nullish(),
    connectTimeoutInSeconds: secondsWithin(0).nullish(),
  })
  .transform((body) => ({
    methodName: body.methodName,
    payload: checked(body.payload ?? null),
    responseTimeoutInSeconds:
      body.responseTimeoutInSeconds ?? body.timeoutInSeconds ?? limits.responseTimeoutSecondsDefault,
    connectTimeoutInSeconds: body.connectTimeoutInSeconds ?? 0,
  }))

export type MethodRequest = z.output<typeof methodRequestSchema>

/** A device's answer: any integer status, and its payload. */
export interface MethodResponse {
  readonly status: number
  readonly payload: z.output<typeof jsonSchema>
}

/** Thrown, not issues of the schema: too large has a status of its own, and a path inside the payload is only known here. */
function checked(payload: Json): Json {
  const bytes = Buffer.byteLength(JSON.stringify(payload))
  if (bytes > limits.methodPayloadBytes) {
    throw new HubError('MessageTooLarge', {
      message: `payload takes ${bytes} bytes of JSON; at most ${limits.methodPayloadBytes} are allowed`,
    })
  }
  const tooLarge = findTooLarge(payload, 'payload')
  if (tooLarge !== null) throw new HubError('ArgumentInvalid', { message: `${clip(tooLarge)}: ${numberTooLarge}` })
  return payload
}
