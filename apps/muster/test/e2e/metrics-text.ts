import { spawnSync } from 'node:child_process'
import { findTool } from '@muster/testkit'
import { exposedMetrics } from '../documents/exposed-metrics.ts'

/** What promtool complains of in the text of `/metrics`; empty: nothing. */
export async function complaintsOf(text: string): Promise<string> {
  const { file, env } = await findTool('promtool')
  const { status, stdout, stderr } = spawnSync(file, ['check', 'metrics'], { env, input: text, encoding: 'utf8' })
  return status === 0 ? stdout + stderr : `promtool ended with ${status}: ${stdout}${stderr}`
}

/** How many series the text has. */
export function countSeries(text: string): number {
  return [...exposedMetrics(text).values()].reduce((sum, { series }) => sum + series, 0)
}

/** The value of a series, with its labels as they are written. */
export function valueIn(text: string, series: string): number | null {
  const line = text.split('\n').find((line) => line.startsWith(`${series} `))
  return line === undefined ? null : Number(line.slice(series.length + 1))
}
