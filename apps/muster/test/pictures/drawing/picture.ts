import { drawStat, type Stat } from './stat.ts'
import { type Box, colours, drawText, escapeText, round, widthOf } from './svg.ts'
import { drawTimeSeries, type TimeSeries } from './time-series.ts'

/** A panel in the grid of Grafana, which is 24 columns wide. */
export interface PicturePanel {
  readonly title: string
  readonly place: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly content:
    | { readonly kind: 'row' }
    | { readonly kind: 'stat'; readonly stat: Stat }
    | { readonly kind: 'timeseries'; readonly series: TimeSeries }
}

export interface Picture {
  readonly title: string
  readonly description: string
  /** How the picture was made. */
  readonly origin: string
  readonly panels: readonly PicturePanel[]
}

const column = 50
const row = 30
const gap = 8
const header = 72
const width = 24 * column

export function drawPicture({ title, description, origin, panels }: Picture): string {
  const height = header + Math.max(...panels.map(({ place }) => place.y + place.h)) * row + gap
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" font-family="Helvetica, Arial, sans-serif" font-size="13" fill="${colours.text}">`,
    `<title>${escapeText(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#f4f5f7"/>`,
    drawText(gap, 26, title, { size: 20, bold: true }),
    drawText(gap, 45, description),
    drawText(gap, 62, origin, { size: 11, colour: colours.faint }),
    ...panels.flatMap(drawPanel),
    '</svg>',
  ]
  return `${lines.join('\n')}\n`
}

function drawPanel({ title, place, content }: PicturePanel): string[] {
  const left = place.x * column + gap / 2
  const top = header + place.y * row
  if (content.kind === 'row') return [drawText(left + 4, top + 21, title, { size: 15, bold: true })]
  const [width, height] = [place.w * column - gap, place.h * row - gap]
  const frame = `<rect x="${left}" y="${top}" width="${width}" height="${height}" rx="3" fill="#ffffff" stroke="${colours.frame}"/>`
  const inside: Box = { left: left + 10, top: top + 26, width: width - 20, height: height - 32 }
  return [
    frame,
    drawText(left + 10, top + 18, title, { size: titleSize(title, width - 16), bold: true }),
    ...(content.kind === 'stat' ? drawStat(content.stat, inside) : drawTimeSeries(content.series, inside)),
  ]
}

/** A long title is smaller: it must not be cut. Bold letters are wider than others. */
function titleSize(title: string, space: number): number {
  return Math.min(12, round(12 * (space / (1.1 * widthOf(title, 12)))))
}
