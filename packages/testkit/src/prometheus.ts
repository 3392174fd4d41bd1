import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFreePort } from '@muster/local-services'
import { z } from 'zod'
import { eventually } from './eventually.ts'
import { findTool } from './prometheus-tools.ts'

/** One process of the hub. */
export interface Target {
  readonly component: string
  readonly port: number
}

/** A Prometheus on loopback. Disposing it ends it. */
export interface RunningPrometheus extends AsyncDisposable {
  /** The values of the series of a query, as they are now. */
  query(expr: string): Promise<readonly number[]>
  /** The series of a query, at each step from the first moment to the last. */
  queryRange(expr: string, range: TimeRange): Promise<readonly Series[]>
}

/** In seconds since 1970. */
export interface TimeRange {
  readonly start: number
  readonly end: number
  readonly stepSeconds: number
}

export interface Series {
  readonly labels: Readonly<Record<string, string>>
  /** Only the moments that have a value. */
  readonly values: readonly (readonly [second: number, value: number])[]
}

const value = z.tuple([z.number(), z.string().transform(Number)])
const answer = z.object({ data: z.object({ result: z.array(z.object({ value })) }) })
const rangeAnswer = z.object({
  data: z.object({ result: z.array(z.object({ metric: z.record(z.string(), z.string()), values: z.array(value) })) }),
})

interface PrometheusOptions {
  readonly ruleFiles: readonly string[]
  /** Between two scrapes, and the longest that one may take. Default: 1. */
  readonly scrapeSeconds?: number
}

/** With the rules of these files. Resolves when it serves. */
export async function startPrometheus(
  targets: readonly Target[],
  { ruleFiles, scrapeSeconds = 1 }: PrometheusOptions,
): Promise<RunningPrometheus> {
  const tool = await findTool('prometheus')
  const folder = await mkdtemp(join(tmpdir(), 'muster-prometheus-'))
  const file = join(folder, 'prometheus.yml')
  const port = await findFreePort()
  await writeFile(file, JSON.stringify(configuration(targets, { ruleFiles, scrapeSeconds })))
  const child = spawn(
    tool.file,
    [`--config.file=${file}`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=127.0.0.1:${port}`],
    { env: tool.env, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const ended = once(child, 'exit')
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = `${log}${text}`.slice(-10_000)
  })
  const url = `http://127.0.0.1:${port}`
  await eventually(
    async () => {
      if (child.exitCode !== null) throw new Error(`Prometheus has ended:\n${log}`)
      if (!(await fetch(`${url}/-/ready`)).ok) throw new Error('Prometheus is not ready yet')
    },
    { timeoutMs: 30_000 },
  )
  const ask = async (path: string, expr: string, parameters = {}): Promise<unknown> => {
    const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams({ query: expr, ...parameters })}`)
    if (!response.ok) throw new Error(`Prometheus refuses ${expr}: ${await response.text()}`)
    return response.json()
  }
  return {
    async query(expr) {
      return answer.parse(await ask('query', expr)).data.result.map(({ value: [, value] }) => value)
    },
    async queryRange(expr, { start, end, stepSeconds }) {
      const range = { start: String(start), end: String(end), step: String(stepSeconds) }
      const { data } = rangeAnswer.parse(await ask('query_range', expr, range))
      return data.result.map(({ metric, values }) => ({ labels: metric, values }))
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** JSON is YAML, too. An instance is the second of its component, say, and not the port that it happens to have. */
function configuration(targets: readonly Target[], { ruleFiles, scrapeSeconds }: Required<PrometheusOptions>): object {
  const interval = `${scrapeSeconds}s`
  return {
    global: {
      scrape_interval: interval,
      scrape_timeout: interval,
      evaluation_interval: '1s',
      external_labels: { muster_docs: 'docs' },
    },
    rule_files: ruleFiles,
    scrape_configs: [
      {
        job_name: 'muster',
        static_configs: targets.map(({ component, port }, index) => {
          const before = targets.slice(0, index).filter((other) => other.component === component)
          return {
            targets: [`127.0.0.1:${port}`],
            // The namespace as the PodMonitor of the manifests gives it.
            labels: { component, instance: `${component}-${before.length + 1}`, namespace: 'muster' },
          }
        }),
      },
    ],
  }
}

/** What Grafana puts into a query before it asks. A scrape every 15 s and a short range give a minute. */
export function withVariables(expr: string, rateInterval = '1m'): string {
  return expr.replaceAll('$__rate_interval', rateInterval).replaceAll(/\$(component|instance)\b/g, '.*')
}
