/** A metric as the text of `/metrics` shows it. */
export interface ExposedMetric {
  readonly kind: string
  readonly help: string
  /** Without the `le` of buckets. */
  readonly labels: ReadonlySet<string>
  readonly series: number
}

/** Reads the text format of Prometheus, as far as the client library writes it. */
export function exposedMetrics(text: string): ReadonlyMap<string, ExposedMetric> {
  const metrics = new Map<string, { kind: string; help: string; labels: Set<string>; series: number }>()
  for (const line of text.split('\n')) {
    const [, word, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? []
    if (word === 'HELP') metrics.set(name, { kind: '', help: rest, labels: new Set(), series: 0 })
    const metric = metrics.get(word === 'TYPE' ? name : ([...metrics.keys()].at(-1) ?? ''))
    if (metric === undefined || word === 'HELP' || line === '') continue
    if (word === 'TYPE') metric.kind = rest
    else {
      metric.series += 1
      for (const [, label = ''] of line.matchAll(/[{,](\w+)="/g)) if (label !== 'le') metric.labels.add(label)
    }
  }
  return metrics
}
