import { Readable } from 'node:stream'
import { clip, isJsonObject, type Json, type JsonObject } from '@muster/contract'
import papaparse from 'papaparse'
import type { EntryOrFault } from './entry.ts'
import { readEntry } from './read-entry.ts'
import { textOf } from './text-lines.ts'

const columns: Readonly<Record<string, readonly string[]>> = {
  id: ['id'],
  moduleId: ['moduleId'],
  status: ['status'],
  statusReason: ['statusReason'],
  authenticationType: ['authentication', 'type'],
  primaryKey: ['authentication', 'symmetricKey', 'primaryKey'],
  secondaryKey: ['authentication', 'symmetricKey', 'secondaryKey'],
  primaryThumbprint: ['authentication', 'x509Thumbprint', 'primaryThumbprint'],
  secondaryThumbprint: ['authentication', 'x509Thumbprint', 'secondaryThumbprint'],
}

const expected = `expected ${Object.keys(columns).join(', ')}, tags.<path> or desired.<path>`

/**
 * The devices and modules in a CSV file (RFC 4180) with a header. Rows count from the header, which is the first; one may take several lines. An empty cell is left out. A cell of a tag or a desired property that is JSON has that
 * value, such as 43 or true, and any other is a text. With a wrong header there is one fault and no row.
 */
export async function* csvRows(path: string): AsyncGenerator<EntryOrFault> {
  const parsed = Readable.from(textOf(path)).pipe(
    papaparse.parse(papaparse.NODE_STREAM_INPUT, { skipEmptyLines: true }),
  )
  let header: readonly Column[] | null = null
  let no = 0
  for await (const cells of parsed) {
    no += 1
    const place = `row ${no}`
    const texts = Array.isArray(cells) ? cells.map(String) : []
    if (header === null) {
      const wrong = texts.find((name) => columnOf(name) === null)
      if (wrong !== undefined) {
        yield { place, complaint: `the header has the column "${clip(wrong)}"; ${expected}` }
        return
      }
      header = texts.flatMap((name) => columnOf(name) ?? [])
    } else if (texts.length === header.length) {
      yield readEntry(place, bodyOf(header, texts))
    } else {
      yield { place, complaint: `it has ${texts.length} cells, and the header has ${header.length}` }
    }
  }
}

interface Column {
  readonly path: readonly string[]
  /** Whether its cells may be any JSON. */
  readonly isOpen: boolean
}

function columnOf(name: string): Column | null {
  const path = columns[name.trim()]
  if (path !== undefined) return { path, isOpen: false }
  const [, section, keys] = /^(tags|desired|properties\.desired)\.(.+)$/.exec(name.trim()) ?? []
  if (section === undefined || keys === undefined) return null
  return { path: [...(section === 'tags' ? ['tags'] : ['properties', 'desired']), ...keys.split('.')], isOpen: true }
}

function bodyOf(header: readonly Column[], texts: readonly string[]): JsonObject {
  let body: JsonObject = {}
  for (const [index, { path, isOpen }] of header.entries()) {
    const text = texts[index] ?? ''
    if (text !== '') body = withMember(body, path, isOpen ? cellValue(text) : text)
  }
  return body
}

function cellValue(text: string): Json {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function withMember(body: JsonObject, [key = '', ...rest]: readonly string[], value: Json): JsonObject {
  const inside = body[key]
  const member: JsonObject = inside !== undefined && isJsonObject(inside) ? inside : {}
  return { ...body, [key]: rest.length === 0 ? value : withMember(member, rest, value) }
}
