import { type EventDeclaration, eventList, ownMetric } from '@muster/runtime'
import { table } from './table.ts'

/** docs/events.md. */
export function eventsPage(): string {
  const events: readonly (readonly [string, EventDeclaration])[] = Object.entries(eventList)
  return `# Events

This page is made from \`packages/runtime/src/observability/event-list.ts\`. \`npm run docs\` writes it, and a test compares them.

Every line of the log is one of these events: one JSON object, with the name of the event in \`event\`, its \`level\`, its \`time\`, and
the fields of the table. \`MUSTER_LOG_LEVEL\` says from which level on lines are written. No field is ever a payload, a key or a
token. An \`error\` is an object with the type, the message and the places in the code; of a statement of SQL its text is kept
and its parameters are not.

Most events are also counted: the last column has the [metrics](metrics.md) that an event moves, whether its line is
written or not.

${table(
  ['event', 'level', 'meaning', 'fields', 'metrics'],
  events.map(([name, event]) => [
    `\`${name}\``,
    event.level,
    event.meaning,
    fieldsCell(event),
    metricsCell(name, event),
  ]),
)}
`
}

function fieldsCell({ fields }: EventDeclaration): string {
  return Object.entries(fields)
    .map(([name, { shows }]) => (shows === name ? `\`${name}\`` : `\`${name}\` (${shows})`))
    .join(', ')
}

function metricsCell(name: string, event: EventDeclaration): string {
  const own = ownMetric(name, event)
  return [...(own === null ? [] : [own.name]), ...(event.moves?.metrics ?? [])].map((name) => `\`${name}\``).join(', ')
}
