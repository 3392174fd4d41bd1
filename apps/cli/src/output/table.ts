import { styleText } from 'node:util'
import Table from 'cli-table3'
import { type Column, cellText } from './format.ts'

const bare = {
  chars: {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
    'bottom-left': '',
    'bottom-right': '',
    left: '',
    'left-mid': '',
    mid: '',
    'mid-mid': '',
    right: '',
    'right-mid': '',
    middle: '',
  },
  style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
}

/** Lines of a table without borders. `head` null: only the rows. No cell has a control character, but for colours. */
export function tableLines(head: readonly string[] | null, rows: readonly (readonly string[])[]): string[] {
  if (head === null && rows.length === 0) return []
  const table = new Table({ ...bare, ...(head === null ? {} : { head: [...head] }) })
  table.push(...rows.map((row) => [...row]))
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
}

export function rowOf<Item>(columns: readonly Column<Item>[], item: Item, hasColour: boolean): string[] {
  return columns.map((column) => {
    const text = cellText(column.of(item))
    return hasColour ? coloured(text) : text
  })
}

/** Of one item: a line for each column. */
export function itemLines<Item>(columns: readonly Column<Item>[], item: Item, hasColour: boolean): string[] {
  const cells = rowOf(columns, item, hasColour)
  const rows = columns.map(({ head }, index) => [head, cells[index] ?? ''])
  return tableLines(
    null,
    rows.filter(([, cell]) => cell !== ''),
  )
}

const colours = {
  completed: 'green',
  enabled: 'green',
  Connected: 'green',
  delivered: 'green',
  running: 'yellow',
  pending: 'yellow',
  failed: 'red',
  dead: 'red',
  cancelled: 'gray',
  canceled: 'gray',
  disabled: 'gray',
  Disconnected: 'gray',
} as const

/** Only words for a state have a colour. */
function coloured(text: string): string {
  return isState(text) ? styleText(colours[text], text) : text
}

function isState(text: string): text is keyof typeof colours {
  return Object.hasOwn(colours, text)
}
