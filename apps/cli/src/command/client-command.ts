import { type Command, Help, Option } from 'commander'
import { type Connection, type ConnectionOptions, findConnection } from '../connection/find-connection.ts'
import type { Environment } from '../environment.ts'
import { usageError } from '../failure.ts'
import { formats } from '../output/format.ts'
import { createOutput, type Output, type OutputOptions } from '../output/output.ts'

export type HubOptions = ConnectionOptions & OutputOptions

/** What a command works with. */
export interface Run extends Connection {
  readonly output: Output
  readonly environment: Environment
}

interface Declaration {
  /** The name, and the arguments. */
  readonly usage: string
  readonly description: string
  readonly examples: readonly string[]
}

/** A command of a group, with the options that choose the hub and the output. */
export function addHubCommand(group: Command, declaration: Declaration): Command {
  return addOutputOptions(addCommand(group, declaration))
    .addOption(hubOption('-l, --login <connection-string>', 'the connection string of a service policy'))
    .addOption(hubOption('--context <name>', 'its name in the configuration file'))
    .addOption(hubOption('-n, --hub-name <name>', 'as for az; not used').hideHelp())
    .addOption(hubOption('-g, --resource-group <name>', 'as for az; not used').hideHelp())
    .addOption(hubOption('--auth-type <type>', 'as for az; not used').hideHelp())
}

/** For a command that prints something and calls no hub. */
export function addOutputOptions(command: Command): Command {
  return command
    .addOption(outputOption('-o, --output <format>', 'how to print the result').choices(formats).default('table'))
    .addOption(outputOption('--query <jmespath>', 'print only what this expression finds in the JSON'))
}

const hubOption = (flags: string, description: string) => new Option(flags, description).helpGroup('Which hub:')
const outputOption = (flags: string, description: string) => new Option(flags, description).helpGroup('Output:')

/** The options of the command itself come first in its help. */
export function orderHelp(program: Command): Command {
  const help = new Help()
  return program.configureHelp({
    groupItems(unsorted, visible, groupOf) {
      const groups = help.groupItems(unsorted, visible, groupOf)
      const general = [...groups].filter(([heading]) => ['Which hub:', 'Output:'].includes(heading))
      for (const [heading, items] of general) {
        groups.delete(heading)
        groups.set(heading, items)
      }
      return groups
    },
  })
}

export function addCommand(group: Command, { usage, description, examples }: Declaration): Command {
  const lines = examples.map((example) => `  ${example}`)
  return group
    .command(usage)
    .description(description)
    .addHelpText('after', ['', examples.length === 1 ? 'Example:' : 'Examples:', ...lines].join('\n'))
}

/** @throws CommandError when no hub is known */
export async function openRun(options: HubOptions, environment: Environment): Promise<Run> {
  return {
    ...(await findConnection(options, environment)),
    output: createOutput(options, environment),
    environment,
  }
}

/** An id that is an argument here and an option for Azure's command line. @throws CommandError when it is missing, or given twice */
export function idOf(noun: string, argument: string | undefined, option: string | undefined, flag: string): string {
  if (argument !== undefined && option !== undefined && argument !== option) {
    throw usageError(`the ${noun} is given twice: "${argument}", and ${flag} "${option}"`)
  }
  const id = argument ?? option
  if (id === undefined || id === '')
    throw usageError(`the ${noun} is missing: give it after the command, or as ${flag}`)
  return id
}
