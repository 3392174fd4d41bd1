import type { Level } from 'pino'
import { waitSeconds } from '../metrics/buckets.ts'
import type { MetricName } from '../metrics/catalogue.ts'
import {
  type BoundedLabel,
  type CounterDeclaration,
  counter,
  type HistogramDeclaration,
  histogram,
  type Labels,
} from '../metrics/declare.ts'
import type { Instruments } from '../metrics/metrics.ts'

/** A field of an event. `Value` is its type alone: a declaration holds no value. */
export interface Field<Value> {
  /** What the log shows, for the reader of the catalogue. */
  readonly shows: string
  /** The words of a label: a field that has some is a label of the event's own metric. Null: it goes to the log only. */
  readonly label: readonly string[] | BoundedLabel | null
  readonly value?: Value
}

type Fields = Readonly<Record<string, Field<unknown>>>
export type ValuesOf<F> = { readonly [Name in keyof F]: F[Name] extends Field<infer Value> ? Value : never }

/** Of the trace that the line belongs to. JSON leaves it out where there is none. */
export const traceId: Field<string | undefined> = { shows: 'id, where something is traced', label: null }
export const text: Field<string> = { shows: 'text', label: null }
export const id: Field<string> = { shows: 'id', label: null }
export const flag: Field<boolean> = { shows: 'true or false', label: null }
export const number: Field<number> = { shows: 'number', label: null }
export const port: Field<number> = { shows: 'port', label: null }
export const seconds: Field<number> = { shows: 'seconds', label: null }
/** How many there are of each error code. */
export const countsByCode: Field<Readonly<Record<string, number>>> = { shows: 'counts by error code', label: null }
export const time: Field<Date> = { shows: 'time', label: null }
/** Without what may be a payload or a key: see `describeError`. */
export const error: Field<unknown> = { shows: 'error', label: null }

export function optional<Value>(field: Field<Value>): Field<Value | null> {
  return { shows: `${field.shows} or null`, label: null }
}

/** One word of a closed list. */
export function word<const Word extends string>(words: readonly Word[]): Field<Word> {
  return { shows: 'word', label: words }
}

/** A label whose words are bounded by something else than a list. */
export function bounded<Value>({ shows }: Field<Value>, boundedBy: string): Field<Value> {
  return { shows, label: { boundedBy } }
}

/** What else an event moves than its own metric. */
export interface Moves<F> {
  readonly metrics: readonly MetricName[]
  move(metrics: Instruments, values: ValuesOf<F>): void
}

/** One event: a line of the log with these fields, a metric, and a signal for tests. */
export interface EventDeclaration<F = Fields> {
  readonly level: Level
  readonly meaning: string
  readonly fields: F
  /** Its own metric. `total` counts it, `seconds` is a histogram of its field `seconds`. */
  readonly own: 'total' | 'seconds' | null
  readonly moves: Moves<F> | null
  /** Of its own metric: see the declaration of metrics. */
  readonly onDemand: string | null
}

/** Has no own metric. */
export function logged<const F extends Fields>(
  level: Level,
  meaning: string,
  fields: F,
  moves: Moves<F> | null = null,
): EventDeclaration<F> {
  return { level, meaning, fields, own: null, moves, onDemand: null }
}

/** Is counted as `muster_..._total`. The metric says the meaning, so it stands in the plural: "Jobs ended". */
export function counted<const F extends Fields>(
  level: Level,
  meaning: string,
  fields: F,
  moves: Moves<F> | null = null,
): EventDeclaration<F> {
  return { level, meaning, fields, own: 'total', moves, onDemand: null }
}

/** Is observed as `muster_..._seconds`, which also counts it. */
export function timed<const F extends Fields & { readonly seconds: Field<number> }>(
  level: Level,
  meaning: string,
  fields: F,
  moves: Moves<F> | null = null,
): EventDeclaration<F> {
  return { level, meaning, fields, own: 'seconds', moves, onDemand: null }
}

export interface OwnMetric {
  readonly name: string
  readonly declaration: CounterDeclaration | HistogramDeclaration
}

/** The own metric of an event. Null: it has none. */
export function ownMetric(name: string, { own, meaning, fields, onDemand }: EventDeclaration): OwnMetric | null {
  if (own === null) return null
  const labels: Labels = Object.fromEntries(
    Object.entries(fields).flatMap(([field, { label }]) => (label === null ? [] : [[field, label]])),
  )
  const names = Object.keys(labels)
  const help = names.length === 0 ? meaning : `${meaning}, by ${names.join(', ')}`
  return {
    name: `muster_${snakeCase(name)}_${own}`,
    declaration: { ...(own === 'total' ? counter(help, labels) : histogram(help, labels, waitSeconds)), onDemand },
  }
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
