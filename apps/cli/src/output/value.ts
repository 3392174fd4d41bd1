import { withoutControls } from '../plain-text.ts'
import { type Format, tsvRow } from './format.ts'

/** The lines of any value, such as what a JMESPath expression makes. There are no columns then, but those of the value itself. */
export async function valueLines(format: Format, value: unknown): Promise<readonly string[]> {
  const items = Array.isArray(value) ? value : [value]
  switch (format) {
    case 'json':
      return [JSON.stringify(value ?? null, null, 2)]
    case 'ndjson':
      return items.map((item) => JSON.stringify(item))
    case 'yaml':
      return [(await import('yaml')).stringify(value ?? null).trimEnd()]
    case 'tsv':
    case 'name':
      return value === null || value === undefined ? [] : items.map((item) => tsvRow(valuesOf(item)))
    default:
      return value === null || value === undefined ? [] : genericTable(items)
  }
}

async function genericTable(items: readonly unknown[]): Promise<string[]> {
  const { tableLines } = await import('./table.ts')
  const objects = items.filter((item) => isPlainObject(item))
  if (objects.length < items.length || items.length === 0)
    return tableLines(
      null,
      items.map((item) => valuesOf(item).map(textOf)),
    )
  const names = [...new Set(objects.flatMap((item) => Object.keys(item)))]
  return tableLines(
    names.map((name) => textOf(name.toUpperCase())),
    objects.map((item) => names.map((name) => textOf(item[name]))),
  )
}

function valuesOf(item: unknown): readonly unknown[] {
  if (Array.isArray(item)) return item
  return isPlainObject(item) ? Object.values(item) : [item]
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return ''
  return withoutControls(typeof value === 'object' ? JSON.stringify(value) : String(value))
}
