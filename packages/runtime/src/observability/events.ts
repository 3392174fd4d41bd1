import { EventEmitter } from 'node:events'
import type { Logger } from 'pino'
import type { Declarations } from '../metrics/declare.ts'
import type { Metrics } from '../metrics/metrics.ts'
import { type EventDeclaration, type OwnMetric, ownMetric } from './declare-event.ts'
import { type EventFields, type EventName, eventList } from './event-list.ts'

/** A function for each event. One event is one log line, one metric and one signal that tests can await. */
export interface Events extends Recorders {
  /** For tests: calls the listener for each such event, until the returned function is called. */
  on<Name extends EventName>(name: Name, listener: (fields: EventFields[Name]) => void): () => void
}

type Recorders = { readonly [Name in EventName]: (fields: EventFields[Name]) => void }

export function openEvents({ log, metrics }: { log: Logger; metrics: Metrics }): Events {
  const signals = new EventEmitter()
  const recorders = recordEach(eventList, (name, declaration) => {
    const measure = measuring(name, declaration, metrics)
    return (fields) => {
      log[declaration.level](fields, name)
      measure(fields)
      signals.emit(name, fields)
    }
  })
  return {
    ...recorders,
    on(name, listener) {
      signals.on(name, listener)
      return () => signals.off(name, listener)
    },
  }
}

/** The own metrics of all events. */
export function eventMetrics(): Declarations {
  return Object.fromEntries(
    Object.entries(eventList).flatMap(([name, event]) => {
      const own = ownMetric(name, event)
      return own === null ? [] : [[own.name, own.declaration]]
    }),
  )
}

type Values = Readonly<Record<string, unknown>>

function measuring(name: string, event: EventDeclaration, metrics: Metrics): (fields: Values) => void {
  const own = ownMetric(name, event)
  const observe = own === null ? () => {} : observing(own, metrics)
  return (fields) => {
    observe(fields)
    event.moves?.move(metrics, fields)
  }
}

function observing({ name, declaration }: OwnMetric, metrics: Metrics): (fields: Values) => void {
  const labels = Object.keys(declaration.labels)
  const labelsOf = (fields: Values) => Object.fromEntries(labels.map((label) => [label, String(fields[label])]))
  if (declaration.kind === 'counter') {
    const total = metrics.add(name, declaration)
    return (fields) => total.inc(labelsOf(fields))
  }
  const histogram = metrics.add(name, declaration)
  return (fields) => histogram.observe(labelsOf(fields), Number(fields.seconds))
}

function recordEach(
  list: typeof eventList,
  record: (name: string, declaration: EventDeclaration) => (fields: Values) => void,
): Recorders
function recordEach(
  list: Readonly<Record<string, EventDeclaration>>,
  record: (name: string, declaration: EventDeclaration) => unknown,
): object {
  return Object.fromEntries(Object.entries(list).map(([name, declaration]) => [name, record(name, declaration)]))
}
