import {
  clip,
  endOfString,
  HubError,
  isJsonObject,
  type Json,
  type JsonObject,
  type JsonText,
  parsedText,
  writeJson,
} from '@muster/contract'
import type { TwinPath } from '@muster/store'

/** A value of a device that stands in a text as `${name}`: its id, or one of its twin. `path` null: the id. */
export interface Parameter {
  readonly name: string
  readonly path: TwinPath | null
}

/** The value of each parameter on one device. */
export type LookUp = (parameter: Parameter) => Json

/** So many different ones may stand in a job. Postgres reads them as one row. */
const parametersMax = 50

/**
 * The parameters in the texts of a value, each once. Names of members are no texts.
 * @throws HubError ArgumentInvalid for one that names nothing, in the words of the member `where`
 */
export function parametersIn(value: Json, where: string): Parameter[] {
  const found = new Map<string, Parameter>()
  const read = (text: string) => {
    for (const part of partsOf(text, where)) if (typeof part !== 'string') found.set(part.name, part)
    return text
  }
  mapTexts(value, read)
  if (found.size <= parametersMax) return [...found.values()]
  throw new HubError('ArgumentInvalid', {
    message: `${where} has ${found.size} different parameters; at most ${parametersMax} are allowed`,
  })
}

/** An object with the parameters in its texts resolved. A text that is one parameter alone becomes its value, of whatever type. */
export function resolveMembers(members: JsonObject, lookUp: LookUp): JsonObject {
  const resolve = (text: string) => resolveText(text, lookUp)
  return Object.fromEntries(Object.entries(members).map(([name, value]) => [name, mapTexts(value, resolve)]))
}

/** The same for JSON as text. Its numbers stay as they were written. */
export function resolveJson(json: JsonText, lookUp: LookUp): JsonText {
  const pieces: string[] = []
  let end = 0
  for (let start = json.indexOf('"'); start >= 0; start = json.indexOf('"', end)) {
    const after = endOfString(json, start) + 1
    const written = json.slice(start, after)
    pieces.push(json.slice(end, start), isName(json, after) ? written : resolveWritten(written, lookUp))
    end = after
  }
  return parsedText(pieces.join('') + json.slice(end))
}

function isName(json: string, after: number): boolean {
  const colon = /\s*:/y
  colon.lastIndex = after
  return colon.test(json)
}

function resolveWritten(written: string, lookUp: LookUp): string {
  return written.includes('${') ? writeJson(resolveText(JSON.parse(written), lookUp)) : written
}

function mapTexts(value: Json, change: (text: string) => Json): Json {
  if (typeof value === 'string') return change(value)
  if (isJsonObject(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, mapTexts(member, change)]))
  }
  return typeof value === 'object' && value !== null ? value.map((element) => mapTexts(element, change)) : value
}

function resolveText(text: string, lookUp: LookUp): Json {
  const [first, ...others] = partsOf(text, '')
  if (first !== undefined && typeof first !== 'string' && others.length === 0) return lookUp(first)
  return [first ?? '', ...others].map((part) => (typeof part === 'string' ? part : textOf(lookUp(part)))).join('')
}

function textOf(value: Json): string {
  return typeof value === 'string' ? value : writeJson(value)
}

/** `$${` is written for `${`. Else `${` begins a parameter, which ends at the next brace. */
const marks = /\$\$\{|\$\{([^}]*)(\}?)/g

function partsOf(text: string, where: string): (string | Parameter)[] {
  const parts: (string | Parameter)[] = []
  let end = 0
  const add = (part: string) => {
    if (part !== '') parts.push(part)
  }
  for (const { 0: mark, 1: name, 2: brace, index } of text.matchAll(marks)) {
    add(text.slice(end, index))
    end = index + mark.length
    if (name === undefined) add('${')
    else parts.push(parameterOf(name, { isClosed: brace !== '', where }))
  }
  add(text.slice(end))
  return parts
}

function parameterOf(name: string, { isClosed, where }: { isClosed: boolean; where: string }): Parameter {
  const [root = '', ...steps] = name.split('.')
  if (isClosed && name === 'deviceId') return { name, path: null }
  const isPath = steps.length > 0 && steps.every((step) => step !== '' && !/[\s$]/.test(step))
  if (isClosed && isPath && (root === 'tags' || root === 'reported')) return { name, path: { section: root, steps } }
  throw new HubError('ArgumentInvalid', {
    message: `${where}: "${clip(`\${${name}${isClosed ? '}' : ''}`)}" names nothing; expected \${deviceId}, \${tags.name} or \${reported.name}, or $\${ for the text \${`,
  })
}
