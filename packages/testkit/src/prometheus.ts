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

/** A Prometheus on loopback that scrapes each second. Disposing it ends it. */
export interface RunningPrometheus extends AsyncDisposable {
  /** The values of the series of a query, as they are now. */
  query(expr: string): Promise<readonly number[]>
}

const answer = z.object({
  data: z.object({ result: z.array(z.object({ value: z.tuple([z.number(), z.string()]) })) }),
})

/** With the rules of these files. Resolves when it serves. */
export async function startPrometheus(
  targets: readonly Target[],
  { ruleFiles }: { ruleFiles: readonly string[] },
): Promise<RunningPrometheus> {
  const tool = await findTool('prometheus')
  const folder = await mkdtemp(join(tmpdir(), 'muster-prometheus-'))
  const file = join(folder, 'prometheus.yml')
  const port = await findFreePort()
  await writeFile(file, JSON.stringify(configuration(targets, ruleFiles)))
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
  return {
    async query(expr) {
      const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expr)}`)
      if (!response.ok) throw new Error(`Prometheus refuses ${expr}: ${await response.text()}`)
      return answer.parse(await response.json()).data.result.map(({ value: [, value] }) => Number(value))
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** JSON is YAML, too. */
function configuration(targets: readonly Target[], ruleFiles: readonly string[]): object {
  return {
    global: { scrape_interval: '1s', evaluation_interval: '1s', external_labels: { muster_docs: 'docs' } },
    rule_files: ruleFiles,
    scrape_configs: [
      {
        job_name: 'muster',
        static_configs: targets.map(({ component, port }) => ({
          targets: [`127.0.0.1:${port}`],
          // As the PodMonitor and the namespace of the manifests give them.
          labels: { component, namespace: 'muster' },
        })),
      },
    ],
  }
}

/** What Grafana puts into a query before it asks. A scrape every 15 s and a short range give a minute. */
export function withVariables(expr: string): string {
  return expr.replaceAll('$__rate_interval', '1m').replaceAll(/\$(component|instance)\b/g, '.*')
}
