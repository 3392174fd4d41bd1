import { withoutControls } from '../plain-text.ts'

export const formats = ['table', 'wide', 'json', 'ndjson', 'yaml', 'tsv', 'name'] as const
export type Format = (typeof formats)[number]

type Cell = string | number | boolean | null | undefined

/** One column of a table. */
export interface Column<Item> {
  readonly head: string
  of(item: Item): Cell
  /** Shown only in `wide`, `tsv`, and of a single item. */
  readonly isWide?: boolean
}

/** How items of one kind are shown where there is no room for all of them. */
export interface View<Item> {
  readonly columns: readonly Column<Item>[]
  /** For `-o name`. */
  nameOf(item: Item): string
}

/** A cell in one line, as a terminal may show it. */
export function cellText(cell: Cell): string {
  return cell === null || cell === undefined ? '' : withoutControls(String(cell))
}

/** A row of values that are separated by tabs. */
export function tsvRow(cells: readonly unknown[]): string {
  return cells.map((cell) => tsvText(cell)).join('\t')
}

const escapes: Readonly<Record<string, string>> = { '\t': '\\t', '\n': '\\n', '\r': '\\r', '\\': '\\\\' }

function tsvText(cell: unknown): string {
  if (cell === null || cell === undefined) return ''
  const text = typeof cell === 'object' ? JSON.stringify(cell) : String(cell)
  return withoutControls(text.replaceAll(/[\t\n\r\\]/g, (character) => escapes[character] ?? ''))
}
