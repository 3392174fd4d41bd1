import { type Command, InvalidArgumentError } from 'commander'
import { openRun } from '../command/client-command.ts'
import { parseSeconds } from '../command/option-values.ts'
import type { Environment } from '../environment.ts'
import { usageError } from '../failure.ts'
import { addJobCommand, type JobOptions, jobIdOf } from './job-command.ts'
import { jobView } from './views.ts'

/** `muster job pause`, `resume` and `set`. */
export function addJobSteering(group: Command, environment: Environment): void {
  addPause(group, environment)
  addJobCommand(group, 'resume', 'end the pause of a job; it goes on where it stood', [
    'muster job resume reboot-floor-3',
  ]).action(async (argument: string | undefined, options: JobOptions) => {
    const { client, output } = await openRun(options, environment)
    await output.item(jobView, await client.jobs.resume(jobIdOf(argument, options)))
  })
  addSet(group, environment)
}

function addPause(group: Command, environment: Environment): void {
  addJobCommand(group, 'pause', 'pause a job; calls under way end, and its window stands still', [
    'muster job pause reboot-floor-3 --reason "the depot is without power"',
    'muster job pause reboot-floor-3 --pause-timeout 86400',
  ])
    .option('--reason <text>', 'why, for people')
    .option('--pause-timeout <seconds>', 'cancel the job if nobody resumes it for so long', parseSeconds)
    .action(async (argument: string | undefined, options: JobOptions & { reason?: string; pauseTimeout?: number }) => {
      const { reason, pauseTimeout: pauseTimeoutSeconds } = options
      const { client, output } = await openRun(options, environment)
      await output.item(jobView, await client.jobs.pause(jobIdOf(argument, options), { reason, pauseTimeoutSeconds }))
    })
}

type Limit = number | 'none'

interface SetOptions extends JobOptions {
  readonly rate?: Limit
  readonly inFlight?: Limit
  readonly priority?: Limit
  readonly ttl?: number
}

function addSet(group: Command, environment: Environment): void {
  addJobCommand(group, 'set', 'change the limits of a job that has not ended', [
    'muster job set reboot-floor-3 --rate 600',
    'muster job set reboot-floor-3 --rate none --in-flight 50',
  ])
    .option('--rate <devices>', 'devices a minute, or none for any number', parseLimit)
    .option('--in-flight <devices>', 'devices in flight, or none for any number', parseLimit)
    .option('--priority <number>', '0 to 1000, or none for 500', parseLimit)
    .option('--ttl <seconds>', 'the window of the job, from its start', parseSeconds)
    .action(async (argument: string | undefined, options: SetOptions) => {
      const { rate, inFlight, priority, ttl } = options
      if ([rate, inFlight, priority, ttl].every((value) => value === undefined)) {
        throw usageError('there is nothing to change: give --rate, --in-flight, --priority or --ttl')
      }
      const change = {
        rollout: { maximumPerMinute: orNull(rate), maximumInFlight: orNull(inFlight) },
        priority: orNull(priority),
        maxExecutionTimeInSeconds: ttl,
      }
      const { client, output } = await openRun(options, environment)
      await output.item(jobView, await client.jobs.change(jobIdOf(argument, options), change))
    })
}

/** The hub knows the bounds. */
function parseLimit(text: string): Limit {
  if (text === 'none') return text
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a whole number, or none.')
}

function orNull(limit: Limit | undefined): number | null | undefined {
  return limit === 'none' ? null : limit
}
