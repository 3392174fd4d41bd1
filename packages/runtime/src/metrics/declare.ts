/** A label whose words are no closed list, though their number is bounded. The text says by what. */
export interface BoundedLabel {
  readonly boundedBy: string
}

/** The words of each label. Never ids of devices, jobs or policies. */
export type Labels = Readonly<Record<string, readonly string[] | BoundedLabel>>

interface Declared<L extends Labels> {
  readonly help: string
  readonly labels: L
  /**
   * Who knows the value. `process`: each process measures itself, and the sum is that of the hub. `hub`: one value for the whole hub.
   * Every process with the dispatcher shows it, and no other process does.
   */
  readonly scope: 'process' | 'hub'
  /** The question that somebody has who reads it by hand. Null: a file of `deploy` reads it. */
  readonly onDemand: string | null
}

export interface CounterDeclaration<L extends Labels = Labels> extends Declared<L> {
  readonly kind: 'counter'
}

export interface GaugeDeclaration<L extends Labels = Labels> extends Declared<L> {
  readonly kind: 'gauge'
  /** The value before anybody has set one. Null: until then there is none, where 0 would say something that is not so. */
  readonly startsAt: 0 | null
}

export interface HistogramDeclaration<L extends Labels = Labels> extends Declared<L> {
  readonly kind: 'histogram'
  /** The upper bounds of the buckets, in the unit of the metric. */
  readonly buckets: readonly number[]
}

/** What a metric is. Its name ends with its unit: `_seconds`, `_bytes`, and `_total` for a counter. */
export type Declaration = CounterDeclaration | GaugeDeclaration | HistogramDeclaration
export type Declarations = Readonly<Record<string, Declaration>>

export function counter<const L extends Labels>(help: string, labels: L): CounterDeclaration<L> {
  return { kind: 'counter', help, labels, scope: 'process', onDemand: null }
}

/** Begins with 0. */
export function gauge<const L extends Labels>(help: string, labels: L): GaugeDeclaration<L> {
  return { kind: 'gauge', help, labels, scope: 'process', startsAt: 0, onDemand: null }
}

/** Has no value until one is known. */
export function knownGauge<const L extends Labels>(help: string, labels: L): GaugeDeclaration<L> {
  return { ...gauge(help, labels), startsAt: null }
}

/** Of the hub as a whole, shown by dispatchers. Has no value while the store that knows it does not answer. */
export function hubGauge<const L extends Labels>(help: string, labels: L): GaugeDeclaration<L> {
  return { ...knownGauge(help, labels), scope: 'hub' }
}

export function histogram<const L extends Labels>(
  help: string,
  labels: L,
  buckets: readonly number[],
): HistogramDeclaration<L> {
  return { kind: 'histogram', help, labels, scope: 'process', buckets, onDemand: null }
}

/** Marks what no dashboard, alert or autoscaler reads, by the question that it answers. A test compares the marks with these. */
export function onDemand<D extends { readonly onDemand: string | null }>(question: string, declaration: D): D {
  return { ...declaration, onDemand: question }
}

/** Every combination of closed words. None if a label is only bounded: its words are known when they come. */
export function seriesOf(labels: Labels): readonly Record<string, string>[] {
  return Object.entries(labels).reduce<readonly Record<string, string>[]>(
    (made, [label, words]) =>
      isClosed(words) ? made.flatMap((series) => words.map((word) => ({ ...series, [label]: word }))) : [],
    [{}],
  )
}

function isClosed(words: readonly string[] | BoundedLabel): words is readonly string[] {
  return Array.isArray(words)
}
