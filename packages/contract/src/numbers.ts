import { endOfString, isJsonObject, type Json, type JsonObject } from './json.ts'
import { limits } from './limits.ts'

/**
 * A number in a container as the text that was parsed had it. Undefined: unknown, or a number of few digits and without an exponent,
 * which a double has as it was written.
 */
export type NumberText = (container: JsonObject | readonly Json[], key: string) => string | undefined

/** For values that came from no text, or were checked before. */
export const noNumberText: NumberText = () => undefined

/**
 * The numbers of a value as its text has them: only the text tells an integer from a double of the same value. The text is read when
 * the first number is asked for, once, and without recursion.
 */
export function numbersIn(text: string, value: unknown): NumberText {
  let known: ReturnType<typeof readNumbers> | undefined
  return (container, key) => {
    known ??= readNumbers(text, value)
    return known.get(container)?.get(key)
  }
}

type Container = JsonObject | readonly Json[]

/** A container that the walk is in. The value is undefined where a later member of the same name has replaced it. */
interface Place {
  readonly value: Container | undefined
  readonly isList: boolean
  key: string
}

// Strings are skipped by a loop: a regular expression would overflow its stack on one of megabytes.
const token = /"|[{}[\],:]|-?\d[\d.eE+-]*/g
const isRemarkable = /[eE]|\d{16}/

function readNumbers(text: string, root: unknown): ReadonlyMap<Container, ReadonlyMap<string, string>> {
  const known = new Map<Container, Map<string, string>>()
  const places: Place[] = []
  let lastText = ''
  const search = new RegExp(token)
  for (let found = search.exec(text); found !== null; found = search.exec(text)) {
    const place = places.at(-1)
    const [first] = found
    switch (first) {
      case '{':
      case '[':
        places.push({ value: within(place, root), isList: first === '[', key: '0' })
        break
      case '}':
      case ']':
        places.pop()
        break
      case '"':
        search.lastIndex = endOfString(text, found.index) + 1
        lastText = text.slice(found.index, search.lastIndex)
        break
      case ':':
        if (place !== undefined) place.key = JSON.parse(lastText)
        break
      case ',':
        if (place?.isList) place.key = String(Number(place.key) + 1)
        break
      default:
        if (place?.value !== undefined && isRemarkable.test(first)) note(known, place.value, place.key, first)
    }
  }
  return known
}

function within(place: Place | undefined, root: unknown): Container | undefined {
  if (place === undefined) return asContainer(root)
  const { value, key } = place
  return value !== undefined && Object.hasOwn(value, key) ? asContainer(Reflect.get(value, key)) : undefined
}

function asContainer(value: unknown): Container | undefined {
  return Array.isArray(value) || isJsonObject(value) ? value : undefined
}

function note(known: Map<Container, Map<string, string>>, container: Container, key: string, text: string): void {
  const numbers = known.get(container) ?? new Map<string, string>()
  known.set(container, numbers.set(key, text))
}

/**
 * JSON as `JSON.stringify` writes it, but a double that is beyond the integers of a twin has an exponent. So it is a double again when it
 * is sent back.
 */
export function writeJson(value: unknown): string {
  const text = JSON.stringify(value)
  return /\d{16}/.test(text) ? withExponents(text) : text
}

function withExponents(text: string): string {
  const pieces: string[] = []
  let end = 0
  const search = new RegExp(token)
  for (let found = search.exec(text); found !== null; found = search.exec(text)) {
    const [first] = found
    if (first === '"') search.lastIndex = endOfString(text, found.index) + 1
    else if (isBeyondIntegers(first)) {
      pieces.push(text.slice(end, found.index), Number(first).toExponential())
      end = search.lastIndex
    }
  }
  return pieces.join('') + text.slice(end)
}

function isBeyondIntegers(number: string): boolean {
  if (!/^-?\d{16,}$/.test(number)) return false
  return Number(number) < limits.integerMin || Number(number) > limits.integerMax
}
