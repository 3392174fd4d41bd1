import assert from 'node:assert/strict'
import { type Document, titleOf } from './documents.ts'

/** A document with a text of it replaced, and what is to be said against it. */
export type Change = readonly [title: string, from: string, to: string, complaint: string]

/** All documents, the changed one among them. Throws when there is nothing to change. */
export function changedIn(documents: readonly Document[], [title, from, to]: Change): readonly Document[] {
  const texts = documents.map((each) => [titleOf(each), JSON.stringify(each)] as const)
  assert(
    texts.some(([name, text]) => name === title && text.includes(from)),
    `expected ${from} in ${title}`,
  )
  return texts.map(([name, text]) => JSON.parse(name === title ? text.replaceAll(from, to) : text) as Document)
}
