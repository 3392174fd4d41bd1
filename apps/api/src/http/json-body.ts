import {
  clip,
  decodeUtf8,
  endOfString,
  findHalfCharacter,
  HubError,
  limits,
  type NumberText,
  noNumberText,
  numbersIn,
  parseBody,
} from '@muster/contract'
import { printParseErrorCode, visit } from 'jsonc-parser'
import type { z } from 'zod'
import type { ApiContext } from './endpoint.ts'

/** The body of a request, undefined when it is empty, and its numbers as they were written. */
interface Document {
  readonly body: unknown
  readonly numberText: NumberText
}

/**
 * The JSON of a request's body, whatever its content type says.
 * @throws HubError GenericBadRequest when it is no JSON (with line and column), no UTF-8, nested too deep, or has too many parts
 */
export function readDocument(c: ApiContext): Document {
  const text = decodeUtf8(c.get('body'))
  if (text === null) {
    throw new HubError('GenericBadRequest', { message: 'the body is not UTF-8; expected JSON in UTF-8' })
  }
  if (text.trim() === '') return { body: undefined, numberText: noNumberText }
  checkStructure(text)
  const body = parseJson(text)
  const half = findHalfCharacter(text)
  if (half !== null) throw malformed(`holds ${half.escape}, half of a character`, text, half.index)
  return { body, numberText: numbersIn(text, body) }
}

/** Reads the body of a request by a schema. Its members may have any letter case. */
export function readBody<Shape extends z.ZodRawShape>(
  c: ApiContext,
  schema: z.ZodObject<Shape>,
): z.output<z.ZodObject<Shape>> {
  return parseBody(schema, readDocument(c).body)
}

const code = { quote: 0x22, colon: 0x3a, openList: 0x5b, closeList: 0x5d, open: 0x7b, close: 0x7d }

/** It also bounds a text that is no JSON. A regular expression would overflow its stack on a text of megabytes. */
function checkStructure(text: string): void {
  let level = 0
  let parts = 0
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case code.quote:
        at = endOfString(text, at)
        break
      case code.open:
      case code.openList:
        level += 1
        parts += 1
        break
      case code.close:
      case code.closeList:
        level -= 1
        break
      case code.colon:
        parts += 1
    }
    if (level > limits.jsonDepth) throw malformed(`is nested deeper than ${limits.jsonDepth} levels`, text, at)
    if (parts > limits.jsonParts) throw malformed(`has over ${limits.jsonParts} arrays, objects and members`, text, at)
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    // The message of Node gives no position for an unexpected token. The first error ends the visit, because there may be millions.
    visit(
      text,
      {
        onError: (error, offset) => {
          throw malformed(`is not JSON (${printParseErrorCode(error)})`, text, offset, cause)
        },
      },
      { disallowComments: true },
    )
    throw malformed('is not JSON', text, text.length, cause)
  }
}

function malformed(complaint: string, text: string, position: number, cause?: unknown): HubError {
  const found = clip(text.slice(position, position + 20)) || 'its end'
  const place = `line ${lineOf(text, position)}, column ${position - text.lastIndexOf('\n', position - 1)} (position ${position})`
  return new HubError('GenericBadRequest', { message: `the body ${complaint} at ${place}, near ${found}`, cause })
}

function lineOf(text: string, position: number): number {
  let line = 1
  for (let at = 0; at < position; at += 1) if (text[at] === '\n') line += 1
  return line
}
