import { randomUUID } from 'node:crypto'
import type { JobTarget, MethodCall, NewMethodJob, NewTwinJob, ScheduledJob, TwinPatch } from '@muster/client'
import { type Command, Option } from 'commander'
import { addHubCommand, type HubOptions, idOf, openRun } from '../command/client-command.ts'
import { collectWords, parseSeconds, parseWaitSeconds, readJson, readJsonObject } from '../command/option-values.ts'
import type { Environment } from '../environment.ts'
import { usageError } from '../failure.ts'
import { followToEnd } from './follow.ts'
import { jobIdOption } from './job-command.ts'
import { createdJobView, previewView } from './views.ts'
import { addWindowOptions, type WindowOptions, windowsOf } from './window-options.ts'

interface TargetOptions extends HubOptions {
  readonly queryCondition?: string
  readonly deviceIds?: readonly string[]
}

/** What a job does, and to which devices. */
export interface WorkOptions extends TargetOptions, WindowOptions {
  readonly jobType?: string
  readonly twinPatch?: string
  readonly methodName?: string
  readonly methodPayload?: string
  readonly methodResponseTimeout?: number
  readonly methodConnectTimeout?: number
  readonly ttl?: number
}

interface CreateOptions extends WorkOptions {
  readonly jobId?: string
  readonly startTime?: string
  readonly wait?: boolean
  readonly pollDuration?: number
}

/** `muster job create`. */
export function addJobCreate(group: Command, environment: Environment): void {
  const command = addHubCommand(group, {
    usage: 'create [job-id]',
    description: 'schedule a twin update or a direct method for many devices',
    examples: [
      `muster job create reboot-floor-3 -q "tags.floor = 3" --method-name reboot --wait`,
      `muster job create -q "*" --twin-patch '{"properties":{"desired":{"interval":30}}}'`,
      'muster job create night --device-ids d1,d2 --method-name reboot --start-time 2026-12-01T02:00:00Z --ttl 7200',
    ],
  })
  addWorkOptions(command)
    .addOption(jobIdOption())
    .option('--start, --start-time <time>', 'when to start, in ISO 8601; by default now')
    .option('--wait', 'wait until the job has ended, and tell by the exit code how')
    .addOption(new Option('--interval, --poll-interval <seconds>').hideHelp())
    .addOption(new Option('--duration, --poll-duration <seconds>').argParser(parseWaitSeconds).hideHelp())
    .action(async (argument: string | undefined, options: CreateOptions) => {
      const job = await jobOf(argument, options, environment)
      const run = await openRun(options, environment)
      const created = await run.client.jobs.create(job)
      if (options.wait) return followToEnd(run, created.jobId, { timeoutSeconds: options.pollDuration })
      await run.output.item(createdJobView, created)
    })
}

/** `muster job preview`. */
export function addJobPreview(group: Command, environment: Environment): void {
  const command = addHubCommand(group, {
    usage: 'preview',
    description: 'count the devices that a job would be for, and show the first of them; nothing is written',
    examples: ['muster job preview -q "tags.floor = 3"'],
  })
  addTargetOptions(command).action(async (options: TargetOptions) => {
    const { client, output } = await openRun(options, environment)
    const preview = await client.jobs.preview(targetOf(options))
    if (options.query !== undefined || !['table', 'wide', 'name', 'tsv'].includes(options.output)) {
      return output.value(preview)
    }
    const { deviceCount, disabledCount, disconnectedCount, unknownCount, sample } = preview
    environment.stderr.write(
      `${deviceCount} devices, of which ${disabledCount} are disabled, ${disconnectedCount} not connected, ${unknownCount} unknown\n`,
    )
    await output.list(previewView, sample)
  })
}

const jobTypes = ['scheduleUpdateTwin', 'scheduleDeviceMethod'] as const

/** What a job does, and to which devices. */
export function addWorkOptions(command: Command): Command {
  const work = addTargetOptions(command)
    .addOption(new Option('--jt, --job-type <type>', 'by default what the other options say').choices(jobTypes))
    .option('--patch, --twin-patch <json>', 'what to change in the twins: JSON, or a file with it')
    .option('--mn, --method-name <name>', 'the direct method to call')
    .option('--mp, --method-payload <json>', 'what to call it with: JSON, or a file with it')
    .option('--mrt, --method-response-timeout <seconds>', 'how long a device may take to answer', parseSeconds)
    .option('--mct, --method-connect-timeout <seconds>', 'how long to wait for a device to connect', parseSeconds)
    .option('--ttl <seconds>', 'the window of the job, from its start; by default an hour', parseSeconds)
  return addWindowOptions(work)
}

function addTargetOptions(command: Command): Command {
  return command
    .option('-q, --query-condition <condition>', 'the devices, by a condition over their twins; * for all')
    .option('--device-ids <ids>', 'the devices, by their ids, with commas between', collectWords)
}

function targetOf({ queryCondition, deviceIds }: TargetOptions): JobTarget {
  if (queryCondition !== undefined && deviceIds !== undefined) {
    throw usageError('--query-condition and --device-ids exclude each other')
  }
  if (queryCondition !== undefined) return { queryCondition }
  if (deviceIds !== undefined) return { deviceIds }
  throw usageError('no devices are named: give --query-condition (* for all), or --device-ids')
}

async function jobOf(
  argument: string | undefined,
  options: CreateOptions,
  environment: Environment,
): Promise<NewTwinJob | NewMethodJob> {
  const named = argument ?? options.jobId
  return {
    ...(await workOf(options, environment)),
    jobId: named === undefined ? randomUUID() : idOf('job id', argument, options.jobId, '--job-id'),
    startTime: options.startTime,
  }
}

export async function workOf(options: WorkOptions, environment: Environment): Promise<ScheduledJob> {
  const base = { ...targetOf(options), maxExecutionTimeInSeconds: options.ttl, ...windowsOf(options) }
  return typeOf(options) === 'scheduleUpdateTwin'
    ? { ...base, updateTwin: await patchOf(options, environment) }
    : { ...base, cloudToDeviceMethod: await methodOf(options, environment) }
}

function typeOf({ jobType, twinPatch, methodName }: WorkOptions): string {
  if (twinPatch !== undefined && methodName !== undefined) {
    throw usageError('--twin-patch and --method-name exclude each other: a job does one of them')
  }
  const type = twinPatch === undefined ? 'scheduleDeviceMethod' : 'scheduleUpdateTwin'
  if (twinPatch === undefined && methodName === undefined) {
    throw usageError('the job does nothing: give --twin-patch or --method-name')
  }
  if (jobType !== undefined && jobType !== type) {
    throw usageError(`--job-type ${jobType} does not fit: with these options the job is of type ${type}`)
  }
  return type
}

async function patchOf({ twinPatch = '' }: WorkOptions, environment: Environment): Promise<TwinPatch> {
  return readJsonObject('--twin-patch', twinPatch, environment)
}

async function methodOf(options: WorkOptions, environment: Environment): Promise<MethodCall> {
  const { methodName = '', methodPayload, methodResponseTimeout, methodConnectTimeout } = options
  return {
    methodName,
    payload: methodPayload === undefined ? null : await readJson('--method-payload', methodPayload, environment),
    responseTimeoutInSeconds: methodResponseTimeout,
    connectTimeoutInSeconds: methodConnectTimeout,
  }
}
