import { catalogue, eventMetrics, type MetricDeclaration, nodeMetricsOnDemand } from '@muster/runtime'
import type { MetricUses } from './metric-uses.ts'
import { table } from './table.ts'

/** docs/metrics.md. `nodeNames` are the metrics that the client library adds. */
export function metricsPage(nodeNames: readonly string[], uses: MetricUses): string {
  const all = Object.entries({ ...catalogue, ...eventMetrics() }).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const of = (scope: MetricDeclaration['scope']) => all.filter(([, declaration]) => declaration.scope === scope)
  return `# Metrics

This page is made from the declarations in \`packages/runtime/src/metrics\` and from the [list of events](events.md). \`npm run docs\`
writes it. A test compares it with what a process shows at \`/metrics\`.

The port is that of plain HTTP (\`MUSTER_HTTP_PORT\`); every process has the page. \`process_...\` and \`nodejs_...\` are of Node.js.
The name of a metric ends with its unit. No label holds the id of a device, a job or a policy, so the number of series does not
grow with the fleet: a process has fewer than 2,000. [Sizing](operations/sizing.md#prometheus) has the numbers of each role.

A series with words of a closed list is there from the start, with 0. One with a label that is only bounded comes with its first event.

The last column says who reads it: a dashboard in \`deploy/grafana\`, an alert in \`deploy/prometheus\`, the autoscaler of
\`deploy/kubernetes/components/keda-prometheus\`, or, on demand, you, when you have that question. A test compares it with these files.

## Of each process

Each process measures itself. Add the values of all processes, for example
\`sum(rate(muster_job_ended_total[$__rate_interval]))\`. A process without a role shows 0 for the metrics of this role. Only what says so
is not added: each dispatcher shows its own \`muster_sweep_age_seconds\`, and \`min by (sweep) (muster_sweep_age_seconds)\` is the age of the
last pass in the whole hub.

${metricTable(of('process'), uses)}

## Of the hub as a whole

Only a process with the dispatcher shows these gauges. It asks Postgres and Redis for them when it is scraped, every 5 s at most,
and for 2 s at most. All dispatchers show the same. So never add them: take one, for example \`max(muster_workers)\` or
\`max by (status) (muster_jobs)\`. While a store does not answer, its gauges have no series, and the others are shown.

${metricTable(of('hub'), uses)}

## Of Node.js

The client library for Prometheus adds them to every process.

${table(
  ['name', 'read by'],
  nodeNames.map((name) => [`\`${name}\``, readersCell(name, nodeMetricsOnDemand.get(name) ?? null, uses)]),
)}`
}

function metricTable(metrics: readonly (readonly [string, MetricDeclaration])[], uses: MetricUses): string {
  return table(
    ['name', 'type', 'labels', 'meaning', 'read by'],
    metrics.map(([name, { kind, labels, help, onDemand }]) => [
      `\`${name}\``,
      kind,
      labelsCell(labels),
      help,
      readersCell(name, onDemand, uses),
    ]),
  )
}

function readersCell(name: string, onDemand: string | null, uses: MetricUses): string {
  const readers = Object.entries(uses).flatMap(([reader, names]) => (names.has(name) ? reader : []))
  return [...readers, ...(onDemand === null ? [] : [`on demand: ${onDemand}`])].join(', ')
}

const wordsShownMax = 8

function labelsCell(labels: MetricDeclaration['labels']): string {
  return Object.entries(labels)
    .map(
      ([label, words]) =>
        `\`${label}\`: ${'boundedBy' in words ? `open; bounded by ${words.boundedBy}` : wordsOf(words)}`,
    )
    .join('<br>')
}

function wordsOf(words: readonly string[]): string {
  const shown = words.slice(0, wordsShownMax).map((word) => `\`${word}\``)
  return words.length > wordsShownMax
    ? `${shown.join(', ')} and ${words.length - wordsShownMax} more`
    : shown.join(', ')
}
