import { isJsonObject, type Json, type JsonObject } from './json.ts'
import { type NumberText, noNumberText, writeJson } from './numbers.ts'

/** JSON that is carried as text, and not parsed on its way: so integers beyond 2^53 arrive as they were sent. */
export type JsonText = string & { readonly brand: 'JsonText' }

/** Texts of members that are spliced into an object. */
export type MemberTexts = Readonly<Record<string, JsonText>>

/** A value as text. `numberText` tells how its numbers were written; the value itself must be no number then. */
export function jsonText(value: Json, numberText: NumberText = noNumberText): JsonText {
  return textOf(value, numberText) as JsonText
}

/** A text that was parsed without an error. */
export function parsedText(text: string): JsonText {
  return text.trim() as JsonText
}

function textOf(value: Json, numberText: NumberText): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const inside = (key: string, member: Json) =>
    typeof member === 'number' ? (numberText(value, key) ?? JSON.stringify(member)) : textOf(member, numberText)
  if (!isJsonObject(value)) return `[${value.map((element, index) => inside(String(index), element)).join()}]`
  return `{${Object.entries(value)
    .map(([key, member]) => `${JSON.stringify(key)}:${inside(key, member)}`)
    .join()}}`
}

/** An object with members that are texts. */
export function withTexts(members: JsonObject, texts: MemberTexts = {}): JsonText {
  const pairs = Object.entries(texts).map(([name, text]) => `${JSON.stringify(name)}:${text}`)
  const written = Object.keys(members).length === 0 ? [] : [writeJson(members).slice(1, -1)]
  return `{${[...written, ...pairs].join()}}` as JsonText
}
