import { readFileSync } from 'node:fs'
import { addClientCommands, addCompletion, type Environment, endQuietlyOnBrokenPipe } from '@muster/cli'
import { Command } from 'commander'
import { addServerCommands } from './server-commands.ts'

/**
 * The command line of `muster`. The commands for callers need no server configuration, and are there at once. The others are added
 * only when the words ask for one of them. Throws CommanderError when the words make no sense, also for help.
 */
export async function createProgram(words: readonly string[], environment: Environment): Promise<Command> {
  const program = new Command('muster')
    .description('Fleet jobs for IoT devices that anyone can host')
    .version(readVersion())
    .showHelpAfterError('"muster --help" tells more')
    .exitOverride()
  addClientCommands(program, environment)
  if (program.commands.some((command) => command.name() === words[0])) {
    endQuietlyOnBrokenPipe(environment.stdout)
    return program
  }
  await addServerCommands(program, words)
  await addCompletion(program)
  return program
}

function readVersion(): string {
  const { version }: { version: string } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return version
}
