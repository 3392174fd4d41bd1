import type { Stop } from '@muster/client'
import { type Command, Option } from 'commander'
import { addHubCommand, type HubOptions, openRun } from '../command/client-command.ts'
import { confirm } from '../command/confirm.ts'
import type { Environment } from '../environment.ts'
import type { View } from '../output/format.ts'

const stopView: View<Stop> = {
  nameOf: ({ stopId }) => stopId,
  columns: [
    { head: 'STOP', of: ({ stopId }) => stopId },
    { head: 'TIME', of: ({ time }) => time },
    { head: 'PAUSED', of: ({ pausedCount }) => pausedCount },
    { head: 'HANDED OVER', of: ({ handedOverCount }) => handedOverCount },
    { head: 'UNDECIDED', of: ({ undecidedCount }) => undecidedCount },
    { head: 'RESUMED', of: ({ resumedCount }) => resumedCount },
    { head: 'BY', of: ({ actor }) => actor, isWide: true },
    { head: 'REASON', of: ({ reason }) => reason, isWide: true },
  ],
}

const jobTypes = ['scheduleUpdateTwin', 'scheduleDeviceMethod'] as const

interface StopOptions extends HubOptions {
  readonly jobType?: (typeof jobTypes)[number]
  readonly jobIdPrefix?: string
  readonly reason?: string
  readonly yes?: boolean
}

/** `muster stop`. */
export function addStopCommands(program: Command, environment: Environment): void {
  const group = program.command('stop').description('pause many jobs at once, and undo it')
  addStopJobs(group, environment)
  addStopCommand(group, 'show', 'show a stop, and how many calls were handed over after it', [
    'muster stop show 7',
  ]).action(async (stopId: string, options: HubOptions) => {
    const { client, output } = await openRun(options, environment)
    await output.item(stopView, await client.stops.get(stopId))
  })
  addStopCommand(group, 'resume', 'resume the jobs that a stop has paused', ['muster stop resume 7']).action(
    async (stopId: string, options: HubOptions) => {
      const { client, output } = await openRun(options, environment)
      await output.item(stopView, await client.stops.resume(stopId))
    },
  )
}

function addStopJobs(group: Command, environment: Environment): void {
  addHubCommand(group, {
    usage: 'jobs',
    description: 'pause all jobs that have not ended, or some of them; calls under way end',
    examples: ['muster stop jobs --reason "devices reboot in a loop"', 'muster stop jobs --job-id-prefix fw- --yes'],
  })
    .addOption(new Option('--job-type <type>', 'only jobs of this type').choices(jobTypes))
    .option('--job-id-prefix <text>', 'only jobs whose ids start so')
    .option('--reason <text>', 'why, for people')
    .option('-y, --yes', 'do not ask')
    .action(async ({ jobType: type, jobIdPrefix, reason, yes, ...options }: StopOptions) => {
      const { client, output } = await openRun(options, environment)
      if (!yes) await confirm(questionOf(type, jobIdPrefix), environment)
      await output.item(stopView, await client.stops.create({ type, jobIdPrefix, reason }))
    })
}

function questionOf(type: string | undefined, jobIdPrefix: string | undefined): string {
  const ofType = type === undefined ? '' : ` of the type ${type}`
  const ofPrefix = jobIdPrefix === undefined ? '' : ` with ids that start with ${jobIdPrefix}`
  return `Pause every job${ofType}${ofPrefix} that has not ended?`
}

function addStopCommand(group: Command, name: string, description: string, examples: readonly string[]): Command {
  return addHubCommand(group, { usage: `${name} <stop-id>`, description, examples })
}
