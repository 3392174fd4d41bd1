import type { DeviceAction, DeviceJobStatus, DeviceSelection, JobLineage } from '@muster/client'
import type { Command } from 'commander'
import { addHubCommand, type HubOptions, openRun } from '../command/client-command.ts'
import { collectWords } from '../command/option-values.ts'
import type { Environment } from '../environment.ts'
import { usageError } from '../failure.ts'
import type { View } from '../output/format.ts'
import { followToEnd } from './follow.ts'
import { addJobCommand, type JobOptions, jobIdOf } from './job-command.ts'
import { deviceJobView, jobView } from './views.ts'

interface SelectionOptions {
  readonly status?: readonly string[]
  readonly errorCode?: readonly string[]
}

interface RerunOptions extends JobOptions, SelectionOptions {
  readonly deviceIds?: readonly string[]
  readonly newId?: string
  readonly requery?: boolean
  readonly startTime?: string
  readonly wait?: boolean
}

/** What is done to single devices of a job, and jobs that do an ended one again. */
export function addJobReruns(group: Command, environment: Environment): void {
  addRerun(group, environment)
  addLineage(group, environment)
  const devices = group.command('device').description('skip, cancel or retry single devices of a running job')
  addDeviceAction(devices, environment, 'skip', 'take devices that wait or have not started out of a job')
  addDeviceAction(devices, environment, 'cancel', 'cancel a job on devices that wait or have not started')
  addDeviceAction(devices, environment, 'retry', 'make the next attempt on devices that wait due now')
}

function addRerun(group: Command, environment: Environment): void {
  addJobCommand(group, 'rerun', 'create a job that does an ended one again, on some of its devices', [
    'muster job rerun reboot-floor-3 --status failed,canceled --wait',
    'muster job rerun reboot-floor-3 --error-code GatewayTimeout --requery',
  ])
    .option('--status <statuses>', 'devices with one of these: completed, failed, canceled, skipped', collectWords)
    .option('--error-code <codes>', 'devices with one of these errors, such as GatewayTimeout', collectWords)
    .option('--device-ids <ids>', 'these devices', collectWords)
    .option('--requery', 'leave out devices that do not match the condition any more')
    .option('--new-id <id>', 'of the new job; by default that of the job with -rerun- and a number')
    .option('--start, --start-time <time>', 'when to start, in ISO 8601; by default now')
    .option('--wait', 'wait until the new job has ended, and tell by the exit code how')
    .action(async (argument: string | undefined, options: RerunOptions) => {
      const run = await openRun(options, environment)
      const { newId: jobId, requery, startTime, deviceIds } = options
      const selection = selectionOf(deviceIds, options)
      const job = await run.client.jobs.rerun(jobIdOf(argument, options), { ...selection, jobId, requery, startTime })
      if (options.wait) return followToEnd(run, job.jobId, {})
      await run.output.item(jobView, job)
    })
}

const lineageView: View<JobLineage['jobs'][number]> = {
  nameOf: ({ jobId }) => jobId,
  columns: [
    { head: 'JOB', of: ({ jobId }) => jobId },
    { head: 'RERUN OF', of: ({ parentJobId }) => parentJobId },
    { head: 'STATUS', of: ({ status }) => status },
    { head: 'DEVICES', of: ({ deviceJobStatistics: counts }) => counts?.deviceCount },
    { head: 'SUCCEEDED', of: ({ deviceJobStatistics: counts }) => counts?.succeededCount },
    { head: 'FAILED', of: ({ deviceJobStatistics: counts }) => counts?.failedCount },
    { head: 'CREATED', of: ({ createdTime }) => createdTime },
  ],
}

function addLineage(group: Command, environment: Environment): void {
  addJobCommand(group, 'lineage', 'show a job with all its reruns, and what has become of its devices in the end', [
    'muster job lineage reboot-floor-3',
    'muster job lineage reboot-floor-3 --device-id demo-155',
  ])
    .option('-d, --device-id <id>', 'what each of the jobs has come to on this device')
    .action(async (argument: string | undefined, options: JobOptions & { deviceId?: string }) => {
      const { client, output } = await openRun(options, environment)
      const lineage = await client.jobs.lineage(jobIdOf(argument, options), { deviceId: options.deviceId })
      if (options.query !== undefined || ['json', 'yaml'].includes(options.output)) return output.value(lineage)
      if (lineage.deviceJobs !== undefined) return output.list(deviceJobView, lineage.deviceJobs)
      await output.list(lineageView, lineage.jobs)
      const counts = Object.entries(lineage.latest?.byStatus ?? {}).map(([status, count]) => `${count} ${status}`)
      environment.stderr.write(`${lineage.latest?.deviceCount ?? 0} devices: ${counts.join(', ') || 'none'}\n`)
    })
}

function addDeviceAction(group: Command, environment: Environment, action: DeviceAction, description: string): void {
  addHubCommand(group, {
    usage: `${action} <job-id> [device-ids...]`,
    description,
    examples: [
      `muster job device ${action} reboot-floor-3 demo-155`,
      `muster job device ${action} reboot-floor-3 --status pending`,
    ],
  })
    .option('--status <statuses>', 'devices with one of these: pending is what can change', collectWords)
    .action(async (jobId: string, deviceIds: readonly string[], options: HubOptions & SelectionOptions) => {
      const { client, output } = await openRun(options, environment)
      const [deviceId, ...others] = deviceIds
      if (deviceId !== undefined && others.length === 0 && options.status === undefined) {
        return output.item(deviceJobView, await client.jobs.changeDevice(jobId, deviceId, action))
      }
      await output.value(await client.jobs.changeDevices(jobId, action, selectionOf(deviceIds, options)))
    })
}

function selectionOf(deviceIds: readonly string[] = [], { status, errorCode }: SelectionOptions): DeviceSelection {
  if (deviceIds.length === 0 && status === undefined && errorCode === undefined) {
    throw usageError('no devices are named: give their ids, or --status')
  }
  return {
    statuses: status?.map(statusOf),
    errorCodes: errorCode,
    deviceIds: deviceIds.length === 0 ? undefined : deviceIds,
  }
}

const statuses: readonly DeviceJobStatus[] = ['pending', 'running', 'completed', 'failed', 'canceled', 'skipped']

function statusOf(text: string): DeviceJobStatus {
  const status = statuses.find((known) => known === text)
  if (status !== undefined) return status
  throw usageError(`--status must be one of ${statuses.join(', ')}, got "${text}"`)
}
