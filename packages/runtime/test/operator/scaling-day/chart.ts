import { keda } from './autoscaler.ts'
import { type Moment, secondOf } from './day.ts'

const size = { width: 1000, left: 52, right: 32, panel: 220, gap: 64, top: 56 } as const
const colours = { load: '#9ecbf0', replicas: '#c2410c', text: '#1f2933', grid: '#d5dbe1', away: '#f3e2c7' } as const
const loadMax = 60

/** The day, and the hour of its largest job, as two pictures one below the other. The load is filled, and the replicas are the line. */
export function drawDay(moments: readonly Moment[]): string {
  const panels = [
    { title: 'A day', from: 0, to: moments.length, tickSeconds: 2 * 3600 },
    { title: 'A job of a million devices', from: secondOf('14:15'), to: secondOf('15:00'), tickSeconds: 300 },
  ]
  const height = size.top + panels.length * (size.panel + size.gap)
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${height}" font-family="sans-serif" font-size="13" fill="${colours.text}">`,
    '<title>Load and replicas of workers over a day</title>',
    `<rect width="${size.width}" height="${height}" fill="#ffffff"/>`,
    ...legend(),
    ...panels.flatMap((panel, index) =>
      drawPanel(moments, { ...panel, top: size.top + 24 + index * (size.panel + size.gap) }),
    ),
    '</svg>',
  ]
  return `${lines.join('\n')}\n`
}

function legend(): readonly string[] {
  const entries = [
    [colours.load, `load in workers, drawn up to ${loadMax}`],
    [colours.replicas, `replicas (${keda.minReplicas} to ${keda.maxReplicas})`],
    [colours.away, 'Postgres is away'],
  ] as const
  return entries.map(
    ([colour, text], index) =>
      `<rect x="${size.left + index * 260}" y="18" width="14" height="14" fill="${colour}"/><text x="${size.left + 20 + index * 260}" y="30">${text}</text>`,
  )
}

interface Panel {
  readonly title: string
  readonly from: number
  readonly to: number
  readonly tickSeconds: number
  readonly top: number
}

function drawPanel(moments: readonly Moment[], panel: Panel): readonly string[] {
  const { title, from, to, tickSeconds, top } = panel
  const bottom = top + size.panel
  const columns = Math.min(to - from, size.width - size.left - size.right)
  const x = (second: number) =>
    round(size.left + ((second - from) / (to - from)) * (size.width - size.left - size.right))
  const y = (workers: number) => round(bottom - (Math.min(workers, loadMax) / loadMax) * size.panel)
  // A column has the highest value of its seconds: a short burst must not vanish.
  const bins = Array.from({ length: columns }, (_, index) => {
    const start = from + Math.floor((index * (to - from)) / columns)
    const some = moments.slice(start, from + Math.floor(((index + 1) * (to - from)) / columns))
    return {
      second: start,
      load: Math.max(...some.map(({ load }) => load ?? 0)),
      replicas: Math.max(...some.map(({ replicas }) => replicas)),
    }
  })
  const away = moments.slice(from, to).filter(({ load }) => load === null)
  const [first, last] = [away.at(0), away.at(-1)]
  const ticks = Array.from(
    { length: Math.floor((to - from) / tickSeconds) + 1 },
    (_, index) => from + index * tickSeconds,
  )
  return [
    `<text x="${size.left}" y="${top - 10}" font-weight="bold">${title}</text>`,
    ...(first && last
      ? [
          `<rect x="${x(first.second)}" y="${top}" width="${round(x(last.second) - x(first.second))}" height="${size.panel}" fill="${colours.away}"/>`,
        ]
      : []),
    ...[0, 20, 40, 60].map(
      (workers) =>
        `<path d="M${size.left} ${y(workers)}H${size.width - size.right}" stroke="${colours.grid}"/><text x="${size.left - 8}" y="${y(workers) + 4}" text-anchor="end">${workers}</text>`,
    ),
    ...ticks.map((second) => `<text x="${x(second)}" y="${bottom + 20}" text-anchor="middle">${timeOf(second)}</text>`),
    `<path d="M${x(from)} ${y(0)}${stepped(bins, x, ({ load }) => y(load))}V${y(0)}Z" fill="${colours.load}"/>`,
    `<path d="M${x(from)} ${y(bins[0]?.replicas ?? 0)}${stepped(bins, x, ({ replicas }) => y(replicas))}H${x(to)}" fill="none" stroke="${colours.replicas}" stroke-width="2"/>`,
  ]
}

interface Bin {
  readonly second: number
  readonly load: number
  readonly replicas: number
}

/** A line that goes right and then up or down, and only where the value changes. */
function stepped(bins: readonly Bin[], x: (second: number) => number, y: (bin: Bin) => number): string {
  return bins
    .filter((bin, index) => {
      const before = bins[index - 1]
      return before === undefined || y(before) !== y(bin)
    })
    .map((bin) => `H${x(bin.second)}V${y(bin)}`)
    .join('')
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function timeOf(second: number): string {
  const minutes = Math.floor(second / 60)
  return `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`
}
