import { isJsonObject, type Json, type JsonObject } from '@muster/contract'
import { type Expression, parseQuery, type Source } from '@muster/query'

/** The WHERE of a query text. */
export function whereOf(source: Source, condition: string): Expression | null {
  return parseQuery(`SELECT * FROM ${source} WHERE ${condition}`).where
}

/** Conditions that ask for every scalar of a document, and for what is not there. */
export function conditionsAbout(document: JsonObject): string[] {
  return scalarsOf(document).flatMap(([path, value]) => {
    const [root = '', ...steps] = path
    const member = root + steps.map((step) => `[${literal(step)}]`).join('')
    return [
      `${member} = ${literal(value)}`,
      `NOT ${member} = ${literal(value)}`,
      `${member} IN [${literal(value)}, 'other']`,
      `${member} > ${literal(value)}`,
      `is_defined(${member})`,
      `is_defined(${member}.deeper)`,
    ]
  })
}

function scalarsOf(value: Json, path: readonly string[] = []): [readonly string[], string | number | boolean | null][] {
  if (isJsonObject(value)) return Object.entries(value).flatMap(([key, member]) => scalarsOf(member, [...path, key]))
  return value === null || typeof value !== 'object' ? [[path, value]] : []
}

function literal(value: string | number | boolean | null): string {
  return typeof value === 'string' ? `'${value.replace(/[\\']/g, '\\$&')}'` : String(value)
}
