import { type Box, colours, drawText, widthOf } from './svg.ts'

const size = 11
const rowHeight = 15
const rowsMax = 5

interface Entry {
  readonly name: string
  readonly colour: string
}

/** The names of lines in rows that are as wide as the panel. A panel with very many names says how many of the last it leaves out. */
export function legendRows(entries: readonly Entry[], width: number): readonly (readonly Entry[])[] {
  const rows: Entry[][] = [[]]
  let used = 0
  for (const [index, entry] of entries.entries()) {
    const needed = widthOfEntry(entry.name)
    if (used > 0 && used + needed > width) {
      if (rows.length === rowsMax) return withRest(rows, entries.length - index, width)
      rows.push([])
      used = 0
    }
    rows.at(-1)?.push(entry)
    used += needed
  }
  return rows
}

/** Room for the words is made by leaving out what stands there. */
function withRest(rows: readonly Entry[][], rest: number, width: number): readonly Entry[][] {
  const last = rows.at(-1) ?? []
  let left = rest
  const words = () => `and ${left} more`
  const used = () => [...last.map(({ name }) => name), words()].reduce((sum, name) => sum + widthOfEntry(name), 0)
  while (last.length > 0 && used() > width) {
    last.pop()
    left += 1
  }
  last.push({ name: words(), colour: 'none' })
  return rows
}

export function legendHeight(rows: readonly (readonly Entry[])[]): number {
  return rows.length * rowHeight
}

export function drawLegend(rows: readonly (readonly Entry[])[], { left, top }: Pick<Box, 'left' | 'top'>): string[] {
  return rows.flatMap((row, index) => {
    let x = left
    const y = top + index * rowHeight + 11
    return row.flatMap(({ name, colour }) => {
      const at = x
      x += widthOfEntry(name)
      return [
        `<path d="M${at} ${y - 4}h10" stroke="${colour}" stroke-width="3"/>`,
        drawText(at + 14, y, name, { size, colour: colours.text }),
      ]
    })
  })
}

function widthOfEntry(name: string): number {
  return Math.ceil(14 + widthOf(name, size) + 10)
}
