import { type Box, colours, drawText } from './svg.ts'
import { unitOf } from './units.ts'

export interface Stat {
  readonly unit: string
  /** From the lowest; the first holds below all others. */
  readonly thresholds: readonly { readonly value: number | null; readonly color: string }[]
  readonly numbers: readonly { readonly name: string; readonly value: number }[]
}

/** One large number, or several in two columns with their names, in the colours of their thresholds. */
export function drawStat({ unit, thresholds, numbers }: Stat, { left, top, width, height }: Box): string[] {
  const { format } = unitOf(unit)
  const [only] = numbers
  if (only !== undefined && numbers.length === 1) {
    const style = { size: 34, anchor: 'middle', colour: colourOf(only.value, thresholds), bold: true } as const
    return [drawText(left + width / 2, top + height / 2 + 8, format(only.value), style)]
  }
  const rowHeight = height / Math.ceil(numbers.length / 2)
  return numbers.flatMap(({ name, value }, index) => {
    const middle = left + width * (index % 2 === 0 ? 0.25 : 0.75)
    const y = top + rowHeight * Math.floor(index / 2)
    const style = { size: 20, anchor: 'middle', colour: colourOf(value, thresholds), bold: true } as const
    return [
      drawText(middle, y + 20, format(value), style),
      drawText(middle, y + 33, name, { size: 10, anchor: 'middle', colour: colours.faint }),
    ]
  })
}

function colourOf(value: number, thresholds: Stat['thresholds']): string {
  const color = thresholds.findLast((step) => step.value === null || value >= step.value)?.color
  return color === 'red' ? colours.red : color === 'green' ? colours.green : colours.text
}
