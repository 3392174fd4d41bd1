import { z } from 'zod'
import { clip } from './clip.ts'
import { HubError } from './errors.ts'
import { findTooLarge, isJsonObject, type Json, type JsonObject, numberTooLarge } from './json.ts'
import { type JsonText, jsonText, parsedText, withTexts } from './json-text.ts'
import { limits } from './limits.ts'
import { foldMembers } from './members.ts'
import { type NumberText, noNumberText } from './numbers.ts'
import { jsonSchema, parseBody } from './schemas.ts'

const methodNamePattern = /^[!#%&'*+\-.0-9A-Z^_`a-z|~]+$/

/** The text of Azure IoT Hub for a response timeout. */
function secondsWithin(least: number) {
  const most = limits.timeoutSecondsMax
  return z.int().refine((seconds) => seconds >= least && seconds <= most, { error: `within [${least}; ${most}].` })
}

const bodySchema = z.object({
  methodName: z.string().min(1).max(limits.methodNameLength).regex(methodNamePattern, {
    error: 'of printable US-ASCII without space and $ ( ) < > @ , ; : \\ " / [ ] ? = { }',
  }),
  payload: jsonSchema.optional(),
  responseTimeoutInSeconds: secondsWithin(limits.responseTimeoutSecondsMin).nullish(),
  connectTimeoutInSeconds: secondsWithin(0).nullish(),
})

const bodySchemaOf2016 = bodySchema.extend({ timeoutInSeconds: bodySchema.shape.responseTimeoutInSeconds })

/** A direct method call, whole. */
export interface MethodRequest {
  readonly methodName: string
  readonly payload: JsonText
  readonly responseTimeoutInSeconds: number
  readonly connectTimeoutInSeconds: number
}

/**
 * Reads a direct method call: the body of POST .../methods, or the `cloudToDeviceMethod` of a job. `root` is the name of that member
 * in error messages. `numberText` tells how numbers of the payload were written. `timeoutInSeconds` is the 2016 name of
 * `responseTimeoutInSeconds`. Beside the newer one it is ignored.
 * @throws HubError as `parseBody`; MessageTooLarge for a payload over its limit
 */
export function parseMethodRequest(body: unknown, root = '', numberText: NumberText = noNumberText): MethodRequest {
  const members = foldMembers(body, { responseTimeoutInSeconds: null })
  const isOf2016 = isJsonObject(members) && members.responseTimeoutInSeconds == null
  const read = parseBody<z.output<typeof bodySchemaOf2016>>(isOf2016 ? bodySchemaOf2016 : bodySchema, body, root)
  return {
    methodName: read.methodName,
    payload: payloadText(read.payload ?? null, topNumber(body, numberText), numberText),
    responseTimeoutInSeconds:
      read.responseTimeoutInSeconds ?? read.timeoutInSeconds ?? limits.responseTimeoutSecondsDefault,
    connectTimeoutInSeconds: read.connectTimeoutInSeconds ?? 0,
  }
}

const jobSchema = z.object({ onUnknownOutcome: z.enum(['fail', 'retry']).nullish() })

/**
 * Reads the direct method of a job. `onUnknownOutcome` says what follows when the connection ends before the answer: the default `fail`
 * ends the device job, `retry` calls the device again, so at least once and not at most once.
 * @throws HubError as `parseMethodRequest`
 */
export function parseMethodOfJob(
  body: unknown,
  root: string,
  numberText?: NumberText,
): MethodRequest & { readonly onUnknownOutcome?: 'retry' } {
  const { onUnknownOutcome } = parseBody<z.output<typeof jobSchema>>(jobSchema, body, root)
  return {
    ...parseMethodRequest(body, root, numberText),
    ...(onUnknownOutcome === 'retry' ? { onUnknownOutcome } : {}),
  }
}

/** A device's answer: any integer status, and its payload. */
export interface MethodResponse {
  readonly status: number
  readonly payload: JsonText
}

export function methodResponseText({ status, payload }: MethodResponse): JsonText {
  return withTexts({ status }, { payload })
}

/** A stored call as reads show it. */
export function methodRequestText({ payload, ...members }: JsonObject): JsonText {
  return withTexts(members, { payload: storedPayload(payload) })
}

/** The payload in a stored call. */
export function storedPayload(payload: Json | undefined): JsonText {
  return typeof payload === 'string' ? parsedText(payload) : jsonText(payload ?? null)
}

/** A payload that is a number, as it was written. */
function topNumber(body: unknown, numberText: NumberText): string | undefined {
  if (!isJsonObject(body)) return undefined
  const names = Object.keys(body).filter((name) => name.toLowerCase() === 'payload')
  const name = names.includes('payload') ? 'payload' : names.at(-1)
  return name === undefined || typeof body[name] !== 'number' ? undefined : numberText(body, name)
}

/** Checked outside of the schema: a payload that is too large has its own status, and only here is the path in the payload known. */
function payloadText(payload: Json, number: string | undefined, numberText: NumberText): JsonText {
  const text = number === undefined ? jsonText(payload, numberText) : parsedText(number)
  const bytes = Buffer.byteLength(text)
  if (bytes > limits.methodPayloadBytes) {
    throw new HubError('MessageTooLarge', {
      message: `payload takes ${bytes} bytes of JSON; at most ${limits.methodPayloadBytes} are allowed`,
    })
  }
  const tooLarge = findTooLarge(payload, 'payload')
  if (tooLarge !== null) throw new HubError('ArgumentInvalid', { message: `${clip(tooLarge)}: ${numberTooLarge}` })
  return text
}
