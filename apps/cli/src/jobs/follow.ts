import type { Job } from '@muster/client'
import type { Command } from 'commander'
import { openRun, type Run } from '../command/client-command.ts'
import { parseWaitSeconds } from '../command/option-values.ts'
import type { Environment } from '../environment.ts'
import { CommandError, type ExitCode, exitCodes } from '../failure.ts'
import { addJobCommand, type JobOptions, jobIdOf } from './job-command.ts'
import { openProgress } from './progress.ts'
import { jobView } from './views.ts'

interface FollowOptions {
  readonly timeoutSeconds?: number | undefined
}

/** `muster job watch` and `muster job wait`. */
export function addJobFollowing(group: Command, environment: Environment): void {
  const timeout = [
    '--timeout <seconds>',
    'how long; the job goes on after that, and the exit code is 7',
    parseWaitSeconds,
  ] as const
  const watch = 'show a job at work until it has ended; Ctrl-C ends only the watching'
  addJobCommand(group, 'watch', watch, ['muster job watch reboot-floor-3'])
    .option(...timeout)
    .action(async (argument: string | undefined, options: JobOptions & { readonly timeout?: number }) => {
      const run = await openRun(options, environment)
      await followToEnd(run, jobIdOf(argument, options), { timeoutSeconds: options.timeout })
    })
  const wait = 'wait until a job has ended; the exit code is 0, 5 with failures, or 6 when it was cancelled'
  addJobCommand(group, 'wait', wait, ['muster job wait reboot-floor-3 --timeout 600'])
    .option(...timeout)
    .action(async (argument: string | undefined, options: JobOptions & { readonly timeout?: number }) => {
      const run = await openRun(options, environment)
      await followToEnd(run, jobIdOf(argument, options), { timeoutSeconds: options.timeout, isQuiet: true })
    })
}

/**
 * Follows a job to its end, prints it, and sets the exit code. Progress goes to standard error.
 * @throws CommandError when the time is over, or the user has had enough
 */
export async function followToEnd(
  { client, output, environment }: Run,
  jobId: string,
  { timeoutSeconds, isQuiet = false }: FollowOptions & { readonly isQuiet?: boolean },
): Promise<void> {
  using stop = stopAfter(jobId, timeoutSeconds)
  using progress = openProgress(jobId, environment.stderr, isQuiet)
  try {
    const events = client.jobs.events(jobId, {
      signal: stop.signal,
      onReconnect: (reason) => progress.note(`${reason.message}; trying again`),
    })
    for await (const told of events) {
      if (told.kind === 'statistics') progress.show(told.status, told.deviceJobStatistics)
    }
  } catch (error) {
    throw stop.signal.aborted ? stop.signal.reason : error
  }
  const job = await client.jobs.get(jobId)
  if (job.deviceJobStatistics !== undefined) progress.show(job.status, job.deviceJobStatistics)
  progress[Symbol.dispose]()
  await output.item(jobView, job)
  process.exitCode = exitCodeOf(job)
}

function exitCodeOf({ status, deviceJobStatistics: counts }: Job): ExitCode {
  if (status === 'cancelled') return exitCodes.cancelled
  return status === 'completed' && counts?.failedCount === 0 ? exitCodes.done : exitCodes.endedWithFailures
}

/** Aborts when the time is over, and when the user presses Ctrl-C. The reason is what to tell them then. */
function stopAfter(jobId: string, timeoutSeconds: number | undefined): { readonly signal: AbortSignal } & Disposable {
  const stop = new AbortController()
  const end = (message: string, exitCode: ExitCode) => stop.abort(new CommandError(message, { exitCode }))
  const goesOn = `the job goes on; "muster job watch ${jobId}" shows it again`
  const interrupt = () => end(goesOn, exitCodes.interrupted)
  process.once('SIGINT', interrupt)
  const tell = () => end(`the job has not ended in ${timeoutSeconds} s: ${goesOn}`, exitCodes.waitTimedOut)
  const timer = timeoutSeconds === undefined ? undefined : setTimeout(tell, timeoutSeconds * 1000)
  return {
    signal: stop.signal,
    [Symbol.dispose]() {
      process.removeListener('SIGINT', interrupt)
      clearTimeout(timer)
    },
  }
}
