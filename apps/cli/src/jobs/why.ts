import type { WhyReason } from '@muster/client'
import type { Command } from 'commander'
import { openRun } from '../command/client-command.ts'
import type { Environment } from '../environment.ts'
import type { View } from '../output/format.ts'
import { addJobCommand, type JobOptions, jobIdOf } from './job-command.ts'

/** `muster job why`. */
export function addJobWhy(group: Command, environment: Environment): void {
  const description = 'tell what holds a job, or a device of it, now; of one that has ended, why'
  addJobCommand(group, 'why', description, [
    'muster job why reboot-floor-3',
    'muster job why reboot-floor-3 --device-id demo-155',
  ])
    .option('-d, --device-id <id>', 'of this device')
    .action(async (argument: string | undefined, options: JobOptions & { deviceId?: string }) => {
      const { client, output } = await openRun(options, environment)
      const { deviceId } = options
      const { reasons } = await client.jobs.why(jobIdOf(argument, options), { deviceId })
      await output.list(reasonView, reasons)
    })
}

const reasonView: View<WhyReason> = {
  nameOf: ({ code }) => code,
  columns: [
    { head: 'REASON', of: ({ code }) => code },
    { head: 'DEVICES', of: ({ deviceCount }) => deviceCount },
    { head: 'UNTIL', of: ({ untilTime }) => untilTime },
    { head: 'WHY', of: ({ text }) => text },
  ],
}
