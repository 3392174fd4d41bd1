import { isJsonObject, type Json, type JsonObject } from '@muster/contract'

/** A message of the hub to a device. */
export type HubMessage =
  | { readonly kind: 'method'; readonly name: string; readonly requestId: string; readonly payload: Json }
  | { readonly kind: 'desired'; readonly version: number; readonly patch: JsonObject }

/** The filters to which the SDKs subscribe. The hub keeps them with the session. */
export const filters: readonly string[] = [
  '$iothub/methods/POST/#',
  '$iothub/twin/PATCH/properties/desired/#',
  // Answers to reports. Nothing waits for them here, but a real device receives them, so the hub must send them.
  '$iothub/twin/res/#',
]

/** Null for a message that needs no reaction. Throws when the message is malformed, which is a bug of the hub. */
export function parseMessage(topic: string, payload: Buffer): HubMessage | null {
  const method = /^\$iothub\/methods\/POST\/([^/]+)\/\?\$rid=(.+)$/.exec(topic)
  if (method?.[1] !== undefined && method[2] !== undefined) {
    return { kind: 'method', name: decodeURIComponent(method[1]), requestId: method[2], payload: parse(payload) }
  }
  const desired = /^\$iothub\/twin\/PATCH\/properties\/desired\/\?\$version=(\d+)$/.exec(topic)
  if (desired === null) return null
  const body = parse(payload)
  if (!isJsonObject(body)) throw new TypeError(`The hub sent a desired change that is no object: ${payload}`)
  const { $version, ...patch } = body
  return { kind: 'desired', version: Number(desired[1]), patch }
}

export function methodAnswerTopic(status: number, requestId: string): string {
  return `$iothub/methods/res/${status}/?$rid=${requestId}`
}

export function reportTopic(requestId: string): string {
  return `$iothub/twin/PATCH/properties/reported/?$rid=${requestId}`
}

function parse(payload: Buffer): Json {
  return payload.length === 0 ? null : JSON.parse(payload.toString())
}
