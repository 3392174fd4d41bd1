import type { Environment } from '../environment.ts'
import { usageError } from '../failure.ts'
import { cellText, type Format, tsvRow, type View } from './format.ts'
import { printLines } from './print.ts'
import { valueLines } from './value.ts'

export interface OutputOptions {
  readonly output: Format
  /** A JMESPath expression over what `json` would print. */
  readonly query?: string
}

/** Prints what a command has found, in the format that the user has chosen. */
export interface Output {
  list<Item>(view: View<Item>, items: AsyncIterable<Item> | Iterable<Item>): Promise<void>
  item<Item>(view: View<Item>, item: Item): Promise<void>
  /** Something without columns. */
  value(value: unknown): Promise<void>
}

export function createOutput({ output: format, query }: OutputOptions, { stdout, hasColour }: Environment): Output {
  async function value(found: unknown): Promise<void> {
    await printLines(stdout, await valueLines(format, query === undefined ? found : await search(found, query)))
  }

  return {
    value,
    async list(view, items) {
      if (query !== undefined) return value(await collect(items))
      await write(await listWriter(format, view, hasColour), items, (lines) => printLines(stdout, lines))
    },
    async item(view, item) {
      const columns = view.columns
      if (query === undefined && format === 'name') return printLines(stdout, [cellText(view.nameOf(item))])
      if (query === undefined && format === 'tsv') {
        return printLines(stdout, [tsvRow(columns.map((column) => column.of(item)))])
      }
      if (query !== undefined || (format !== 'table' && format !== 'wide')) return value(item)
      const { itemLines } = await import('./table.ts')
      await printLines(stdout, itemLines(columns, item, hasColour))
    },
  }
}

/** The lines of a list, made of a part of it at a time, so that a long one takes no more memory than a short one. */
interface ListWriter<Item> {
  lines(items: readonly Item[], isFirst: boolean): readonly string[]
  last?(isEmpty: boolean): readonly string[]
}

async function listWriter<Item>(format: Format, view: View<Item>, hasColour: boolean): Promise<ListWriter<Item>> {
  switch (format) {
    case 'json':
      return jsonWriter()
    case 'ndjson':
      return { lines: (items) => items.map((item) => JSON.stringify(item)) }
    case 'yaml': {
      const { stringify } = await import('yaml')
      const lines = (items: readonly Item[]) => (items.length === 0 ? [] : [stringify(items).trimEnd()])
      return { lines, last: (isEmpty) => (isEmpty ? ['[]'] : []) }
    }
    case 'tsv':
      return { lines: (items) => items.map((item) => tsvRow(view.columns.map((column) => column.of(item)))) }
    case 'name':
      return { lines: (items) => items.map((item) => cellText(view.nameOf(item))) }
    default: {
      const { rowOf, tableLines } = await import('./table.ts')
      const columns = view.columns.filter(({ isWide }) => format === 'wide' || isWide !== true)
      const head = columns.map((column) => column.head)
      const rows = (items: readonly Item[]) => items.map((item) => rowOf(columns, item, hasColour))
      return { lines: (items, isFirst) => tableLines(isFirst ? head : null, rows(items)) }
    }
  }
}

/** An item is held back until it is known whether a comma follows. */
function jsonWriter<Item>(): ListWriter<Item> {
  let held: string | null = null
  return {
    lines: (items) =>
      items.flatMap((item) => {
        const before = held === null ? ['['] : [`${held},`]
        held = `  ${JSON.stringify(item, null, 2).replaceAll('\n', '\n  ')}`
        return before
      }),
    last: () => (held === null ? ['[]'] : [held, ']']),
  }
}

/** How many items are laid out together. The columns of a table are as wide as these need. */
const batchSize = 500

async function write<Item>(
  writer: ListWriter<Item>,
  items: AsyncIterable<Item> | Iterable<Item>,
  print: (lines: readonly string[]) => Promise<void>,
): Promise<void> {
  let batch: Item[] = []
  let isFirst = true
  let isEmpty = true
  const flush = async () => {
    await print(writer.lines(batch, isFirst))
    isFirst = false
    batch = []
  }
  for await (const item of items) {
    isEmpty = false
    batch.push(item)
    if (batch.length === batchSize) await flush()
  }
  if (isFirst || batch.length > 0) await flush()
  await print(writer.last?.(isEmpty) ?? [])
}

async function collect<Item>(items: AsyncIterable<Item> | Iterable<Item>): Promise<readonly Item[]> {
  const all: Item[] = []
  for await (const item of items) all.push(item)
  return all
}

async function search(value: unknown, expression: string): Promise<unknown> {
  const { search } = await import('@jmespath-community/jmespath')
  try {
    return search(JSON.parse(JSON.stringify(value ?? null)), expression)
  } catch (error) {
    throw usageError(`--query is no JMESPath expression that fits: ${error instanceof Error ? error.message : error}`)
  }
}
