import {
  decodeUtf8,
  findHalfCharacter,
  isTooDeep,
  type Json,
  type JsonText,
  limits,
  type NumberText,
  numbersIn,
  parsedText,
} from '@muster/contract'

/** The JSON of a device, or the fault in it: words that follow the name of the payload. */
export type Payload =
  | { readonly kind: 'json'; readonly value: Json; readonly text: JsonText; readonly numberText: NumberText }
  | { readonly kind: 'bad'; readonly fault: string }

/** Accepts the same JSON as the service API: in UTF-8, with whole characters, and not nested too deep for the hub. */
export function readPayload(bytes: Uint8Array): Payload {
  const text = decodeUtf8(bytes)
  if (text === null) return bad('is no UTF-8')
  const json = parse(text)
  if (json === null) return bad('is no JSON')
  const half = findHalfCharacter(text)
  if (half !== null) return bad(`holds ${half.escape}, half of a character`)
  if (isTooDeep(json.value)) return bad(`nests deeper than ${limits.jsonDepth} levels`)
  return { kind: 'json', value: json.value, text: parsedText(text), numberText: numbersIn(text, json.value) }
}

function parse(text: string): { readonly value: Json } | null {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return null
  }
}

function bad(fault: string): Payload {
  return { kind: 'bad', fault }
}
