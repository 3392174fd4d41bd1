import { type Command, Option } from 'commander'
import { addHubCommand, type HubOptions, idOf } from '../command/client-command.ts'

export interface JobOptions extends HubOptions {
  readonly jobId?: string
}

/** A command about one job. */
export function addJobCommand(group: Command, name: string, description: string, examples: readonly string[]): Command {
  return addHubCommand(group, { usage: `${name} [job-id]`, description, examples }).addOption(jobIdOption())
}

/** Azure's command line has the id as an option. */
export function jobIdOption(): Option {
  return new Option('--job-id <id>').hideHelp()
}

export function jobIdOf(argument: string | undefined, { jobId }: JobOptions): string {
  return idOf('job id', argument, jobId, '--job-id')
}
