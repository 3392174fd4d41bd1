import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { catalogue, eventMetrics } from '@muster/runtime'
import { findTool } from '@muster/testkit'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { metricsIn } from '../promql.ts'

const folder = join(import.meta.dirname, '..', '..', 'prometheus')
const rulesFolder = join(folder, 'rules')
const ruleFiles = readdirSync(rulesFolder).map((file) => join(rulesFolder, file))

const rule = z.object({
  record: z.string().optional(),
  alert: z.string().optional(),
  expr: z.string(),
  labels: z.object({ severity: z.enum(['page', 'ticket']) }).optional(),
  annotations: z.object({ summary: z.string(), runbook_url: z.string() }).optional(),
})
const rules = ruleFiles.flatMap((file) =>
  z
    .object({ groups: z.array(z.object({ rules: z.array(rule) })) })
    .parse(parse(readFileSync(file, 'utf8')))
    .groups.flatMap((group) => group.rules),
)
const alerts = rules.flatMap(({ alert, ...rest }) => (alert === undefined ? [] : [{ alert, ...rest }]))

/** From the cluster or from Prometheus itself. */
const foreign = [
  'kubelet_volume_stats_available_bytes',
  'kubelet_volume_stats_capacity_bytes',
  'ALERTS',
  'nodejs_eventloop_lag_p99_seconds',
]

describe('the rules for Prometheus', () => {
  it('are valid, each alert fires where it must, and is silent beside it', async () => {
    const promtool = await findTool('promtool')
    const run = (...args: string[]) => promisify(execFile)(promtool.file, args, { env: promtool.env })

    expect((await run('check', 'rules', ...ruleFiles)).stdout).not.toContain('FAILED')
    expect((await run('test', 'rules', join(folder, 'tests', 'alerts.yml'))).stdout).toContain('SUCCESS')
  })

  it('ask only for metrics that the hub has', () => {
    const known = new Set([
      ...Object.keys(catalogue),
      ...Object.keys(eventMetrics()),
      ...rules.flatMap(({ record }) => record ?? []),
      ...foreign,
    ])
    for (const { expr } of rules)
      expect(
        metricsIn(expr).filter((metric) => !known.has(metric)),
        expr,
      ).toEqual([])
  })

  it('give each alert a severity, a summary and an entry of the runbook', () => {
    const runbook = readFileSync(join(folder, '..', '..', 'docs', 'operations', 'runbook.md'), 'utf8')
    const entries = new Set([...runbook.matchAll(/^## (\w+)$/gm)].map(([, name]) => name))

    for (const { alert, labels, annotations } of alerts) {
      expect(labels?.severity, alert).toBeDefined()
      expect(annotations?.summary, alert).toMatch(/\.$/)
      expect(annotations?.runbook_url, alert).toBe(
        `{{ $externalLabels.muster_docs }}/operations/runbook.md#${alert.toLowerCase()}`,
      )
      expect(entries, alert).toContain(alert)
    }
    for (const entry of entries) expect(alerts.map(({ alert }) => alert)).toContain(entry)
  })

  it('test each alert: it is silent beside its trouble, fires in it, and ends after it', () => {
    const cases = z
      .object({
        tests: z.array(
          z.object({
            alert_rule_test: z.array(z.object({ alertname: z.string(), exp_alerts: z.array(z.unknown()) })),
          }),
        ),
      })
      .parse(parse(readFileSync(join(folder, 'tests', 'alerts.yml'), 'utf8')))
      .tests.map((each) => each.alert_rule_test)

    for (const { alert } of alerts) {
      const counts = cases.map((steps) =>
        steps.filter(({ alertname }) => alertname === alert).map((step) => step.exp_alerts.length),
      )
      expect(
        counts.some(([first]) => first === 0),
        `${alert} is silent`,
      ).toBe(true)
      expect(
        counts.some((steps) => steps.some((count) => count > 0) && steps.at(-1) === 0),
        `${alert} fires and ends`,
      ).toBe(true)
    }
  })
})

it.each([
  ['Prometheus of docker-compose.yml', 'compose/prometheus.yml', /target_label: (\w+)/g],
  ['PodMonitor', 'kubernetes/components/monitoring/pod-monitor.yaml', /targetLabel: (\w+)/g],
])('%s names the component of a process, and with no label that a metric has itself', (_, path, label) => {
  const text = readFileSync(join(folder, '..', path), 'utf8')
  const ours = Object.values({ ...catalogue, ...eventMetrics() }).flatMap(({ labels }) => Object.keys(labels))

  const given = [...text.matchAll(label)].map(([, name]) => name)

  expect(given).toContain('component')
  expect(given.filter((name) => name !== undefined && ours.includes(name))).toEqual([])
})

it('Alertmanager takes its configuration', async () => {
  const amtool = await findTool('amtool')
  const file = join(folder, '..', 'alertmanager', 'alertmanager.yml')

  const { stdout } = await promisify(execFile)(amtool.file, ['check-config', file], { env: amtool.env })

  expect(stdout).toContain('SUCCESS')
})
