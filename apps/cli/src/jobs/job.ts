import type { Job } from '@muster/client'
import type { Command } from 'commander'
import { addHubCommand, type HubOptions, openRun } from '../command/client-command.ts'
import { confirm } from '../command/confirm.ts'
import { parseCount } from '../command/option-values.ts'
import { take } from '../command/take.ts'
import type { Environment } from '../environment.ts'
import { addJobCreate, addJobPreview } from './create.ts'
import { addJobFollowing } from './follow.ts'
import { addJobCommand, type JobOptions, jobIdOf } from './job-command.ts'
import { addJobReports } from './reports.ts'
import { addJobReruns } from './reruns.ts'
import { addJobStages } from './stages.ts'
import { addJobSteering } from './steer.ts'
import { jobView } from './views.ts'
import { addJobWhy } from './why.ts'

/** `muster job`. */
export function addJobCommands(program: Command, environment: Environment): void {
  const group = program.command('job').description('schedule jobs for many devices and follow them')
  addJobCreate(group, environment)
  addJobPreview(group, environment)
  addList(group, environment)
  addShow(group, environment)
  addJobFollowing(group, environment)
  addJobSteering(group, environment)
  addCancel(group, environment)
  addJobStages(group, environment)
  addJobWhy(group, environment)
  addJobReports(group, environment)
  addJobReruns(group, environment)
}

function addList(group: Command, environment: Environment): void {
  addHubCommand(group, {
    usage: 'list',
    description: 'list jobs, latest first',
    examples: ['muster job list --job-status running', 'muster job list --query "[].jobId" -o tsv'],
  })
    .option('--jt, --job-type <type>', 'only jobs of this type: scheduleUpdateTwin or scheduleDeviceMethod')
    .option('--js, --job-status <status>', 'only jobs in this status')
    .option('--top <count>', 'at most so many', parseCount)
    .action(async (options: HubOptions & { jobType?: string; jobStatus?: string; top?: number }) => {
      const { client, output } = await openRun(options, environment)
      const { jobType, jobStatus, top } = options
      await output.list(jobView, take(client.jobs.list({ jobType, jobStatus }, { pageSize: top }), top))
    })
}

function addShow(group: Command, environment: Environment): void {
  const examples = ['muster job show reboot-floor-3', 'muster job show reboot-floor-3 -o json']
  addJobCommand(group, 'show', 'show a job and its counts', examples).action(
    async (argument: string | undefined, options: JobOptions) => {
      const { client, output } = await openRun(options, environment)
      await output.item(jobView, await client.jobs.get(jobIdOf(argument, options)))
    },
  )
}

function addCancel(group: Command, environment: Environment): void {
  const description = 'cancel a job; what it has done stays done'
  addJobCommand(group, 'cancel', description, [
    'muster job cancel reboot-floor-3',
    'muster job cancel reboot-floor-3 --yes',
  ])
    .option('-y, --yes', 'do not ask')
    .action(async (argument: string | undefined, options: JobOptions & { yes?: boolean }) => {
      const jobId = jobIdOf(argument, options)
      const { client, output } = await openRun(options, environment)
      const question = options.yes ? null : questionOf(await client.jobs.get(jobId))
      if (question !== null) await confirm(question, environment)
      await output.item(jobView, await client.jobs.cancel(jobId))
    })
}

/** Null: it has ended, so that the hub refuses. */
function questionOf({ jobId, status, endTime, deviceJobStatistics: counts }: Job): string | null {
  if (endTime !== undefined) return null
  if (counts === undefined) return `The job ${jobId} is ${status} and has not started. Cancel it?`
  const { deviceCount, succeededCount, failedCount } = counts
  const left = deviceCount - succeededCount - failedCount
  return `The job ${jobId} is ${status}: ${left} of its ${deviceCount} devices are not done. Cancel it?`
}
