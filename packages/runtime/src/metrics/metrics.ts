import pTimeout from 'p-timeout'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { RoleName } from '../config/role-names.ts'
import { catalogue, type MetricName } from './catalogue.ts'
import {
  type CounterDeclaration,
  type Declaration,
  type Declarations,
  type GaugeDeclaration,
  type HistogramDeclaration,
  seriesOf,
} from './declare.ts'

type Instrument<D> =
  D extends CounterDeclaration<infer L>
    ? Counter<keyof L & string>
    : D extends GaugeDeclaration<infer L>
      ? Gauge<keyof L & string>
      : D extends HistogramDeclaration<infer L>
        ? Histogram<keyof L & string>
        : never
type InstrumentsOf<All> = { readonly [Name in keyof All]: Instrument<All[Name]> }

/** The metrics of the catalogue by name, to be moved by who measures. */
export type Instruments = InstrumentsOf<typeof catalogue>

type GaugeName = {
  [Name in MetricName]: (typeof catalogue)[Name] extends { kind: 'gauge' } ? Name : never
}[MetricName]

/** The values of gauges at one moment: one value, or one for each series. */
export type Readings = { readonly [Name in GaugeName]?: number | readonly Reading[] }
interface Reading {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** Of one process. */
export interface Metrics extends Instruments {
  /** Adds a metric that is not in the catalogue: the own one of an event. */
  add<D extends Declaration>(name: string, declaration: D): Instrument<D>
  /**
   * Gauges whose values are read for each scrape. While a reading fails, or takes longer than 2 s, its gauges have no series. Who asks a
   * store for them remembers the answer, because several may scrape at once.
   */
  whenScraped(read: () => Readings | Promise<Readings>): void
  /** All metrics as text. A reading that fails is reported, and the others are shown. */
  scrape(onFailure: (error: unknown) => void): Promise<Scrape>
}

interface Scrape {
  readonly text: string
  readonly contentType: string
}

const readingMsMax = 2_000

/** Gauges of the client library that are named like counters. The same numbers come by type under other names. */
const misnamed = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']

/** Also has the metrics of Node.js. Those of the hub as a whole are shown by a process with the dispatcher. One per process. */
export function openMetrics(version: string, roles: readonly RoleName[] = []): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  for (const name of misnamed) registry.removeSingleMetric(name)
  const gauges = new Map<string, Gauge>()
  const readings: { readonly read: () => Readings | Promise<Readings>; names: readonly string[] }[] = []

  const isShown = ({ scope }: Declaration) => scope === 'process' || roles.includes('dispatcher')
  const add = <D extends Declaration>(name: string, declaration: D): Instrument<D> => {
    const made = instrument(name, declaration, isShown(declaration) ? [registry] : [])
    if (made instanceof Gauge) gauges.set(name, made)
    return made
  }
  const catalogued = addEach(catalogue, add)
  catalogued.muster_build_info.set({ version }, 1)
  for (const role of roles) catalogued.muster_role_info.set({ role }, 1)

  const show = (values: Readings) => {
    const shown = Object.entries(values)
    for (const [name, value] of shown) {
      for (const each of typeof value === 'number' ? [{ labels: {}, value }] : value) {
        gauges.get(name)?.set(each.labels, each.value)
      }
    }
    return shown.map(([name]) => name)
  }

  return {
    ...catalogued,
    add,
    whenScraped: (read) => void readings.push({ read, names: [] }),
    async scrape(onFailure) {
      const read = await Promise.all(readings.map((reading) => valuesOf(reading.read, onFailure)))
      // From here to the copy of the values nothing waits, so that two scrapes at once do not mix.
      for (const [index, reading] of readings.entries()) {
        for (const name of reading.names) forget(gauges.get(name))
        reading.names = show(read[index] ?? {})
      }
      return { text: await registry.metrics(), contentType: registry.contentType }
    },
  }
}

/** prom-client alone would put a gauge without labels back to 0. */
function forget(gauge: Gauge | undefined): void {
  gauge?.reset()
  gauge?.remove({})
}

async function valuesOf(
  read: () => Readings | Promise<Readings>,
  onFailure: (error: unknown) => void,
): Promise<Readings> {
  try {
    return await pTimeout(Promise.resolve(read()), {
      milliseconds: readingMsMax,
      message: `gauges were not read within ${readingMsMax} ms`,
    })
  } catch (error) {
    onFailure(error)
    return {}
  }
}

function addEach<All extends Declarations>(
  declarations: All,
  add: <D extends Declaration>(name: string, declaration: D) => Instrument<D>,
): InstrumentsOf<All>
function addEach(declarations: Declarations, add: (name: string, declaration: Declaration) => unknown): object {
  return Object.fromEntries(Object.entries(declarations).map(([name, each]) => [name, add(name, each)]))
}

/** Series of closed words begin with 0: one that appears with its first event hides that event from a rate. */
function instrument<D extends Declaration>(name: string, declaration: D, registers: Registry[]): Instrument<D>
function instrument(name: string, declaration: Declaration, registers: Registry[]): Counter | Gauge | Histogram {
  const { help, labels } = declaration
  const options = { name, help, labelNames: Object.keys(labels), registers }
  switch (declaration.kind) {
    case 'counter': {
      const counter = new Counter<string>(options)
      for (const series of seriesOf(labels)) counter.inc(series, 0)
      return counter
    }
    case 'gauge': {
      const gauge = new Gauge<string>(options)
      if (declaration.startsAt === null) forget(gauge)
      else for (const series of seriesOf(labels)) gauge.set(series, declaration.startsAt)
      return gauge
    }
    case 'histogram': {
      const histogram = new Histogram<string>({ ...options, buckets: [...declaration.buckets] })
      for (const series of seriesOf(labels)) histogram.zero(series)
      return histogram
    }
  }
}
