import { limits } from './limits.ts'

/** A JSON value as the wire carries it. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject

export interface JsonObject {
  readonly [member: string]: Json
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Null: the bytes are no UTF-8. A byte order mark is left out. */
export function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return null
  }
}

/**
 * The first escape in a JSON text that is half of a surrogate pair, such as `\ud800`. It is no character, and neither Postgres nor a
 * device could take it. Null: there is none.
 */
export function findHalfCharacter(text: string): { readonly escape: string; readonly index: number } | null {
  const escapes = /\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)|\\./gs
  for (const { 1: half, index } of text.matchAll(escapes)) {
    if (half !== undefined) return { escape: half, index }
  }
  return null
}

/** The place of the quote that ends the JSON string that begins here, or the end of the text if the string has no end. */
export function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    if (!isEscaped(text, end)) return end
  }
  return text.length
}

const backslash = 0x5c

/** A character is escaped if an odd number of backslashes is before it. */
function isEscaped(text: string, position: number): boolean {
  let first = position
  while (text.charCodeAt(first - 1) === backslash) first -= 1
  return (position - first) % 2 === 1
}

/** Whether arrays and objects nest deeper than `limits.jsonDepth`. Does not recurse, because the value may come from anybody. */
export function isTooDeep(value: Json): boolean {
  let level: readonly (JsonObject | readonly Json[])[] = isContainer(value) ? [value] : []
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > limits.jsonDepth) return true
    level = level.flatMap((container) => Object.values(container).filter(isContainer))
  }
  return false
}

export const numberTooLarge = `the number is too large; at most ${Number.MAX_VALUE} is allowed`

/** The path of the first number that is out of the range of a double, such as 1e400: it parses as Infinity and is written as null. */
export function findTooLarge(value: Json, path: string): string | null {
  if (typeof value === 'number') return Number.isFinite(value) ? null : path
  if (!isContainer(value)) return null
  const isList = Array.isArray(value)
  for (const [key, member] of Object.entries(value)) {
    const found = findTooLarge(member, isList ? `${path}[${key}]` : `${path}.${key}`)
    if (found !== null) return found
  }
  return null
}

function isContainer(value: Json): value is JsonObject | readonly Json[] {
  return typeof value === 'object' && value !== null
}
