import { isJsonObject, type Json, type JsonObject } from '@muster/contract'

export type Scalar = string | number | boolean | null

/** A scalar that one of the twins holds, and the path to it as a query spells it. */
export interface Fact {
  readonly path: string
  readonly value: Scalar
}

/** Every scalar of the documents. */
export function factsOf(documents: readonly JsonObject[]): readonly Fact[] {
  return documents.flatMap((document) => Object.entries(document).flatMap(([root, value]) => factsBelow(root, value)))
}

function factsBelow(path: string, value: Json): readonly Fact[] {
  if (isJsonObject(value)) {
    return Object.entries(value).flatMap(([key, member]) => factsBelow(path + writtenStep(key), member))
  }
  if (value !== null && typeof value === 'object') {
    return value.flatMap((element, index) => factsBelow(`${path}[${index}]`, element))
  }
  return [{ path, value }]
}

/** A step of a path: behind a dot if it is a name, else in quotes. */
export function writtenStep(key: string): string {
  return /^[a-z_$]+$/i.test(key) ? `.${key}` : `[${writtenText(key, key.includes("'") ? '"' : "'")}]`
}

export function writtenConstant(value: Scalar): string {
  return typeof value === 'string' ? writtenText(value, "'") : String(value)
}

export function writtenList(values: readonly Scalar[]): string {
  return `[${values.map(writtenConstant).join(', ')}]`
}

function writtenText(text: string, quote: '"' | "'"): string {
  return `${quote}${text.replace(/\\/g, '\\\\').replaceAll(quote, `\\${quote}`).replaceAll('\0', '\\u0000')}${quote}`
}
