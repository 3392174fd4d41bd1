import { clip, HubError, isJsonObject, limits, parseBody } from '@muster/contract'
import type { Context } from 'hono'
import { type ParseError, parse, printParseErrorCode } from 'jsonc-parser'
import type { z } from 'zod'

/**
 * Reads a request's body, whatever its content type says. Undefined when it is empty.
 * @throws HubError GenericBadRequest, for bad JSON with line and column, when it is no JSON, no UTF-8, nested too deep, or
 * breaks off.
 */
export async function readJson(c: Context): Promise<unknown> {
  const text = decode(await receive(() => c.req.arrayBuffer()))
  if (text.trim() === '') return undefined
  checkDepth(text)
  const body = parseJson(text)
  checkSurrogates(text)
  return body
}

/** Reads bytes of a request. That its caller has hung up must not be taken for the loss of a connection of ours. */
export async function receive<Bytes>(read: () => Promise<Bytes>): Promise<Bytes> {
  try {
    return await read()
  } catch (cause) {
    if (cause instanceof HubError) throw cause
    throw new HubError('GenericBadRequest', { message: 'the body broke off before its end; send it again', cause })
  }
}

/** Reads a request's body by a schema, its top-level members in any letter case. */
export async function readBody<Shape extends z.ZodRawShape>(
  c: Context,
  schema: z.ZodObject<Shape>,
): Promise<z.output<z.ZodObject<Shape>>> {
  return parseBody(schema, foldMembers(await readJson(c), Object.keys(schema.shape)))
}

/**
 * The body with the given member names in their right letter case: old clients send `JobId` or `jobid`. A member that is
 * spelled right wins over its variants. What is no object is returned as it is.
 */
export function foldMembers(body: unknown, names: readonly string[]): unknown {
  if (!isJsonObject(body)) return body
  const canonical = new Map(names.map((name) => [name.toLowerCase(), name]))
  const isSpelledRight = ([name]: readonly [string, unknown]) => Number(canonical.get(name.toLowerCase()) === name)
  const members = Object.entries(body).sort((one, other) => isSpelledRight(one) - isSpelledRight(other))
  return Object.fromEntries(members.map(([name, value]) => [canonical.get(name.toLowerCase()) ?? name, value]))
}

function decode(bytes: ArrayBuffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new HubError('GenericBadRequest', { message: 'the body is not UTF-8; expected JSON in UTF-8', cause })
  }
}

/**
 * Counts brackets outside of strings, so that it bounds text that is no JSON, too. Every string matches, with its end or
 * without: one that did not would be tried again from each quote inside it.
 */
function checkDepth(text: string): void {
  let level = 0
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*(?:"|\\?$)|[{}[\]]/gs)) {
    if (token === '{' || token === '[') level += 1
    if (token === '}' || token === ']') level -= 1
    if (level > limits.jsonDepth) {
      throw malformed(`is nested deeper than ${limits.jsonDepth} levels`, text, index)
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    // The engine's own message gives no position for an unexpected token.
    const errors: ParseError[] = []
    parse(text, errors, { disallowComments: true })
    const [first] = errors
    const complaint = first === undefined ? '' : ` (${printParseErrorCode(first.error)})`
    throw malformed(`is not JSON${complaint}`, text, first?.offset ?? text.length, cause)
  }
}

/** Half of a surrogate pair is no character: neither Postgres nor a device could take it. */
function checkSurrogates(text: string): void {
  const escapes = /\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)|\\./gs
  for (const { 1: half, index } of text.matchAll(escapes)) {
    if (half !== undefined) throw malformed(`holds ${half}, half of a character`, text, index)
  }
}

function malformed(complaint: string, text: string, position: number, cause?: unknown): HubError {
  const before = text.slice(0, position).split('\n')
  const found = clip(text.slice(position, position + 20)) || 'its end'
  const place = `line ${before.length}, column ${(before.at(-1) ?? '').length + 1} (position ${position})`
  return new HubError('GenericBadRequest', { message: `the body ${complaint} at ${place}, near ${found}`, cause })
}
