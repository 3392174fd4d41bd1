import type { DeviceJobFilter } from '@muster/client'
import { type Command, Option } from 'commander'
import { openRun } from '../command/client-command.ts'
import { collectWords, parseCount } from '../command/option-values.ts'
import { take } from '../command/take.ts'
import type { Environment } from '../environment.ts'
import { writeParts } from '../output/write-file.ts'
import { addJobCommand, type JobOptions, jobIdOf } from './job-command.ts'
import { deviceJobView, eventView, failureView } from './views.ts'

interface DeviceJobOptions extends JobOptions {
  readonly status?: readonly string[]
  readonly errorCode?: readonly string[]
  readonly deviceId?: string
}

/** What a job has come to: its device jobs, its failures, its history. */
export function addJobReports(group: Command, environment: Environment): void {
  addDevices(group, environment)
  addFailures(group, environment)
  addHistory(group, environment)
  addExport(group, environment)
}

function addDevices(group: Command, environment: Environment): void {
  const command = addJobCommand(group, 'devices', 'list what a job has come to on each device', [
    'muster job devices reboot-floor-3 --status failed',
    'muster job devices reboot-floor-3 --status failed -o name | xargs -n 1 muster device show',
  ])
  addFilterOptions(command)
    .option('--top <count>', 'at most so many', parseCount)
    .action(async (argument: string | undefined, options: DeviceJobOptions & { top?: number }) => {
      const { client, output } = await openRun(options, environment)
      const pageSize = options.top ?? largestPage
      const rows = client.jobs.devices(jobIdOf(argument, options), filterOf(options), { pageSize })
      await output.list(deviceJobView, take(rows, options.top))
    })
}

/** Fewer calls for the long lists that these are. */
const largestPage = 1000

function addFailures(group: Command, environment: Environment): void {
  const description = 'show why a job has failed on devices, and what these devices have in common'
  addJobCommand(group, 'failures', description, ['muster job failures reboot-floor-3 --tags firmware,site.building'])
    .option(
      '--tags <paths>',
      'the tags to compare, with commas between; by default those that are used most',
      collectWords,
    )
    .action(async (argument: string | undefined, options: JobOptions & { tags?: readonly string[] }) => {
      const { client, output } = await openRun(options, environment)
      const failures = await client.jobs.failures(jobIdOf(argument, options), { tags: options.tags?.join(',') })
      if (options.query !== undefined || ['json', 'yaml'].includes(options.output)) return output.value(failures)
      await output.list(failureView, failures.groups)
    })
}

function addHistory(group: Command, environment: Environment): void {
  const description = 'list what has happened to a job, who asked for it, and from where'
  addJobCommand(group, 'history', description, ['muster job history reboot-floor-3']).action(
    async (argument: string | undefined, options: JobOptions) => {
      const { client, output } = await openRun(options, environment)
      await output.list(eventView, client.jobs.history(jobIdOf(argument, options)))
    },
  )
}

function addExport(group: Command, environment: Environment): void {
  const command = addJobCommand(group, 'export', 'write the rows of all devices of a job, as they come', [
    'muster job export reboot-floor-3 > rows.csv',
    'muster job export reboot-floor-3 --format ndjson --status failed --file failed.ndjson',
  ])
  addFilterOptions(command)
    .addOption(new Option('--format <format>', 'of the rows').choices(['csv', 'ndjson']).default('csv'))
    .option('--file <path>', 'where to write them; by default the standard output')
    .action(async (argument: string | undefined, options: ExportOptions) => {
      const { client } = await openRun(options, environment)
      const rows = await client.jobs.export(jobIdOf(argument, options), options.format, filterOf(options))
      await writeParts(rows, options.file, environment.stdout)
    })
}

interface ExportOptions extends DeviceJobOptions {
  readonly format: 'csv' | 'ndjson'
  readonly file?: string
}

function addFilterOptions(command: Command): Command {
  return command
    .option('--status <statuses>', 'only these: pending, running, completed, failed, canceled, skipped', collectWords)
    .option('--error-code <codes>', 'only with these errors, such as GatewayTimeout', collectWords)
    .option('-d, --device-id <id>', 'only this device')
}

function filterOf({ status, errorCode, deviceId }: DeviceJobOptions): DeviceJobFilter {
  return { status: status?.join(','), errorCode: errorCode?.join(','), deviceId }
}
