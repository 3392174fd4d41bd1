import { withVariables } from '@muster/testkit'
import { parser } from '@prometheus-io/lezer-promql'

/** What is wrong with a query of a dashboard: faults of the language, and habits that mislead. */
export function problemsOf(expr: string): string[] {
  const text = withVariables(expr)
  const faults: string[] = []
  parser.parse(text).iterate({
    enter(node) {
      if (node.type.isError) faults.push(`not PromQL at ${node.from}: ${text.slice(node.from, node.from + 20)}`)
    },
  })
  if (/\birate\(/.test(expr)) faults.push('irate looks at two samples only, and hides what happened between them')
  if (/\brate\([^[]*\[(?!\$__rate_interval)/.test(expr))
    faults.push('rate needs $__rate_interval, which fits every zoom')
  if (/\brate\((?!muster_\w+(_total|_count|_sum|_bucket)\b|process_cpu_seconds_total\b)/.test(expr)) {
    faults.push('rate is for counters')
  }
  return faults
}

/** The metrics that a query names, those of a histogram by its own name. */
export function metricsIn(expr: string): string[] {
  const text = withVariables(expr)
  const names = new Set<string>()
  parser.parse(text).iterate({
    enter(node) {
      const isMetric = node.name === 'Identifier' && node.node.parent?.name === 'VectorSelector'
      if (isMetric) names.add(text.slice(node.from, node.to))
    },
  })
  return [...names].map((name) =>
    name.replace(/_seconds_(bucket|sum|count)$|(?<=_size)_(bucket|sum|count)$/, (end) =>
      end.startsWith('_seconds') ? '_seconds' : '',
    ),
  )
}
