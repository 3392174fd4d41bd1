/** Series of the processes that the reader has chosen. `labels`: more matchers, as in `class="5xx"`. */
export function of(metric: string, labels = ''): string {
  return `${metric}{component=~"$component",instance=~"$instance"${labels === '' ? '' : `,${labels}`}}`
}

/** What happens in a second, of a counter. */
export function perSecond(metric: string, by = '', labels = ''): string {
  return `sum${grouped(by)} (rate(${of(metric, labels)}[$__rate_interval]))`
}

/** The value below which this share of the observations lies. */
export function quantile(share: number, metric: string, by = ''): string {
  const labels = by === '' ? 'le' : `le, ${by}`
  return `histogram_quantile(${share}, sum by (${labels}) (rate(${of(`${metric}_bucket`)}[$__rate_interval])))`
}

/** A gauge of the hub as a whole: each dispatcher shows the same, so they are not added. */
export function ofHub(metric: string, by = '', labels = ''): string {
  return `max${grouped(by)} (${metric}${labels === '' ? '' : `{${labels}}`})`
}

/** The sum over processes. */
export function total(metric: string, by = ''): string {
  return `sum${grouped(by)} (${of(metric)})`
}

function grouped(by: string): string {
  return by === '' ? '' : ` by (${by})`
}
