import { catalogue, eventMetrics, type MetricDeclaration } from '@muster/runtime'
import { table } from './table.ts'

/** docs/metrics.md. `nodeNames` are the metrics that the client library adds. */
export function metricsPage(nodeNames: readonly string[]): string {
  const all = Object.entries({ ...catalogue, ...eventMetrics() }).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const of = (scope: MetricDeclaration['scope']) => all.filter(([, declaration]) => declaration.scope === scope)
  return `# Metrics

This page is made from the declarations in \`packages/runtime/src/metrics\` and from the [list of events](events.md). \`npm run docs\`
writes it. A test compares it with what a process shows at \`/metrics\`.

The port is that of plain HTTP (\`MUSTER_HTTP_PORT\`); every process has the page. \`process_...\` and \`nodejs_...\` are of Node.js.
The name of a metric ends with its unit. No label holds the id of a device, a job or a policy, so the number of series does not
grow with the fleet: a process has fewer than 2,000.

A series with words of a closed list is there from the start, with 0. One with a label that is only bounded comes with its first event.

## Of each process

Each process measures itself. Add the values of all processes, for example
\`sum(rate(muster_job_ended_total[$__rate_interval]))\`. A process without a role shows 0 for the metrics of this role.

${metricTable(of('process'))}

## Of the hub as a whole

Only a process with the dispatcher shows these gauges. It asks Postgres and Redis for them when it is scraped, every 5 s at most,
and for 2 s at most. All dispatchers show the same. So never add them: take one, for example \`max(muster_workers)\` or
\`max by (status) (muster_jobs)\`. While a store does not answer, its gauges have no series, and the others are shown.

${metricTable(of('hub'))}

## Of Node.js

The client library for Prometheus adds them to every process: ${nodeNames.map((name) => `\`${name}\``).join(', ')}.
`
}

function metricTable(metrics: readonly (readonly [string, MetricDeclaration])[]): string {
  return table(
    ['name', 'type', 'labels', 'meaning'],
    metrics.map(([name, { kind, labels, help }]) => [`\`${name}\``, kind, labelsCell(labels), help]),
  )
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
