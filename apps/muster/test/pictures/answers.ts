import { type RunningPrometheus, type Series, type TimeRange, withVariables } from '@muster/testkit'
import type { Dashboard, Panel } from './dashboard-files.ts'
import type { Line } from './drawing/line.ts'
import type { Picture, PicturePanel } from './drawing/picture.ts'

/** Short, because the time that the pictures show is short: with a minute every burst would be as long as the picture. */
const rateInterval = '15s'

const origin =
  'Drawn by the project (npm run pictures) from the queries of this dashboard and the answers of a Prometheus. It is not a picture of Grafana.'

/** A dashboard with what Prometheus answers to its queries. `empty` are the titles of panels without any value. */
export async function answered(
  prometheus: RunningPrometheus,
  { title, description, panels }: Dashboard,
  range: TimeRange,
): Promise<{ readonly picture: Picture; readonly empty: readonly string[] }> {
  const drawn: PicturePanel[] = []
  const empty: string[] = []
  for (const panel of panels) {
    const content = await contentOf(prometheus, panel, range)
    if (isEmpty(content)) empty.push(`${title}: ${panel.title}`)
    drawn.push({ title: panel.title, place: panel.gridPos, content })
  }
  return { picture: { title, description, origin, panels: drawn }, empty }
}

async function contentOf(
  prometheus: RunningPrometheus,
  { type, targets, fieldConfig: { defaults } }: Panel,
  range: TimeRange,
): Promise<PicturePanel['content']> {
  const { unit, custom, thresholds } = defaults
  switch (type) {
    case 'row':
      return { kind: 'row' }
    case 'stat': {
      const lines = await linesOf(prometheus, targets, { ...range, start: range.end })
      const numbers = lines.flatMap(({ name, values: [value] }) => (typeof value === 'number' ? [{ name, value }] : []))
      return { kind: 'stat', stat: { unit, thresholds: thresholds.steps, numbers } }
    }
    case 'timeseries': {
      const hasLimits = custom.thresholdsStyle?.mode === 'line'
      const limits = hasLimits ? thresholds.steps.flatMap(({ value }) => (value === null ? [] : [value])) : []
      const lines = await linesOf(prometheus, targets, range)
      const { stepSeconds } = range
      return {
        kind: 'timeseries',
        series: { unit, stacked: custom.stacking?.mode === 'normal', limits, lines, stepSeconds },
      }
    }
  }
}

async function linesOf(
  prometheus: RunningPrometheus,
  targets: Panel['targets'],
  range: TimeRange,
): Promise<readonly Line[]> {
  const lines: Line[] = []
  for (const { expr, legendFormat } of targets) {
    const found = await prometheus.queryRange(withVariables(expr, rateInterval), range)
    lines.push(...found.map((series) => lineOf(series, legendFormat, range)))
  }
  return lines
}

function lineOf({ labels, values }: Series, legendFormat: string, { start, end, stepSeconds }: TimeRange): Line {
  const steps = Array.from<number | null>({ length: Math.round((end - start) / stepSeconds) + 1 }).fill(null)
  for (const [second, value] of values) {
    // A quantile of nothing is no number.
    if (Number.isFinite(value)) steps[Math.round((second - start) / stepSeconds)] = value
  }
  return { name: nameOf(labels, legendFormat), values: steps }
}

/** A series that has none of the labels, such as the zero of a query that finds nothing, is the value. */
function nameOf(labels: Series['labels'], legendFormat: string): string {
  return legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? '').trim() || 'Value'
}

function isEmpty(content: PicturePanel['content']): boolean {
  if (content.kind === 'row') return false
  if (content.kind === 'stat') return content.stat.numbers.length === 0
  return !content.series.lines.some(({ values }) => values.some((value) => value !== null))
}
