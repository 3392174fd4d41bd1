import { drawLegend, legendHeight, legendRows } from './legend.ts'
import { areaPath, type Line, linePath, type Point, stacked } from './line.ts'
import { type Scale, scaleOf } from './scale.ts'
import { type Box, colours, drawText, lineColour, round } from './svg.ts'
import { type Unit, unitOf } from './units.ts'

export interface TimeSeries {
  readonly unit: string
  readonly stacked: boolean
  /** Limits that are drawn as red lines. The axis reaches them. */
  readonly limits: readonly number[]
  readonly lines: readonly Line[]
  readonly stepSeconds: number
}

const axis = { left: 66, right: 10, bottom: 20 } as const
const tickSeconds = 30

interface ColouredLine extends Line {
  readonly colour: string
  readonly isZero: boolean
}

/** Lines over time in a box, with axes and a legend below. */
export function drawTimeSeries({ unit: unitName, limits, stepSeconds, ...series }: TimeSeries, box: Box): string[] {
  const unit = unitOf(unitName)
  const lines = series.lines.map((line, index) => ({ ...line, colour: lineColour(index), isZero: isZero(line) }))
  // Those that show something are named first: a legend may be too long for its panel.
  const rows = legendRows(
    lines.toSorted((a, b) => Number(a.isZero) - Number(b.isZero)),
    box.width,
  )
  const plot: Box = {
    left: box.left + axis.left,
    top: box.top + 4,
    width: box.width - axis.left - axis.right,
    height: box.height - 4 - axis.bottom - legendHeight(rows),
  }
  const length = Math.max(...lines.map(({ values }) => values.length), 2)
  const levels = series.stacked ? stacked(lines, length) : lines.map(({ values }) => values)
  const shown = levels.flat().filter((value) => value !== null)
  const scale = scaleOf([...shown, ...limits], unit, plot.height < 90 ? 3 : 5)
  const x = (index: number) => plot.left + (index / (length - 1)) * plot.width
  const y = (value: number) => plot.top + plot.height * (1 - (value - scale.min) / (scale.max - scale.min))
  const points = levels.map((values) =>
    values.map((value, index): Point | null => (value === null ? null : [x(index), y(value)])),
  )

  return [
    ...drawValues(scale, unit, plot, y),
    ...drawTimes((length - 1) * stepSeconds, plot),
    ...(series.stacked ? drawStack(lines, points) : lines.map((line, index) => drawLine(line, points[index]))),
    ...limits.map(
      (limit) =>
        `<path d="M${plot.left} ${round(y(limit))}h${plot.width}" stroke="${colours.red}" stroke-width="1.5"/>`,
    ),
    ...drawLegend(rows, { left: box.left, top: box.top + box.height - legendHeight(rows) }),
  ]
}

function isZero({ values }: Line): boolean {
  return values.every((value) => value === null || value === 0)
}

/** Each line with the area down to the level below it. The line of one that is always zero would hide that of another. */
function drawStack(lines: readonly ColouredLine[], levels: readonly (readonly (Point | null)[])[]): string[] {
  return lines.flatMap((line, index) => {
    if (line.isZero && index > 0) return []
    const path = areaPath(levels[index + 1] ?? [], levels[index] ?? [])
    return [`<path d="${path}" fill="${line.colour}" fill-opacity="0.3"/>`, drawLine(line, levels[index + 1])]
  })
}

function drawLine({ colour }: ColouredLine, points: readonly (Point | null)[] = []): string {
  return `<path d="${linePath(points)}" fill="none" stroke="${colour}" stroke-width="1.3"/>`
}

function drawValues(scale: Scale, unit: Unit, plot: Box, y: (value: number) => number): string[] {
  return scale.ticks.flatMap((tick) => [
    `<path d="M${plot.left} ${round(y(tick))}h${plot.width}" stroke="${colours.grid}"/>`,
    drawText(plot.left - 6, y(tick) + 4, unit.format(tick), { size: 11, anchor: 'end', colour: colours.faint }),
  ])
}

/** Minutes and seconds from the beginning, so that a picture does not tell when it was made. */
function drawTimes(lengthSeconds: number, plot: Box): string[] {
  const bottom = plot.top + plot.height
  return Array.from({ length: Math.floor(lengthSeconds / tickSeconds) + 1 }, (_, index) => {
    const second = index * tickSeconds
    const text = `${Math.floor(second / 60)}:${String(second % 60).padStart(2, '0')}`
    const x = plot.left + (second / lengthSeconds) * plot.width
    return drawText(x, bottom + 14, text, { size: 11, anchor: 'middle', colour: colours.faint })
  })
}
