import type { JsonObject } from '@muster/client'
import { type Command, Option } from 'commander'
import { addHubCommand, type HubOptions, idOf, openRun } from '../command/client-command.ts'
import { parseCount } from '../command/option-values.ts'
import { take } from '../command/take.ts'
import type { Environment } from '../environment.ts'
import type { View } from '../output/format.ts'

interface QueryOptions extends HubOptions {
  readonly queryCommand?: string
  readonly top?: number
}

/** `muster query`. */
export function addQueryCommand(program: Command, environment: Environment): void {
  addHubCommand(program, {
    usage: 'query [text]',
    description: 'query devices, devices.modules or devices.jobs',
    examples: [
      'muster query "SELECT deviceId, tags.floor FROM devices WHERE tags.building = 43"',
      'muster query "SELECT tags.floor, COUNT() AS devices FROM devices GROUP BY tags.floor" -o json',
    ],
  })
    .addOption(new Option('-q, --query-command <text>').hideHelp())
    .option('--top <count>', 'at most so many rows', parseCount)
    .action(async (argument: string | undefined, options: QueryOptions) => {
      const { client, output } = await openRun(options, environment)
      const text = idOf('query', argument, options.queryCommand, '--query-command')
      const rows = client.query<JsonObject>(text, { pageSize: options.top ?? 1000 })[Symbol.asyncIterator]()
      const first = await rows.next()
      const names = first.done ? [] : Object.keys(first.value)
      await output.list(viewOf(names), take(withFirst(first, rows), options.top))
    })
}

/** The first row says what the columns are. */
function viewOf(names: readonly string[]): View<JsonObject> {
  return {
    nameOf: (row) => textOf(row.deviceId ?? Object.values(row)[0]),
    columns: names.map((name) => ({ head: name.toUpperCase(), of: (row) => textOf(row[name]) })),
  }
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

async function* withFirst<Item>(first: IteratorResult<Item>, rest: AsyncIterator<Item>): AsyncGenerator<Item> {
  for (let next = first; !next.done; next = await rest.next()) yield next.value
}
