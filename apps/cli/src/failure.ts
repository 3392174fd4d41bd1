import { MusterError } from '@muster/client'
import { withoutControls } from './plain-text.ts'

/** What the exit code of a command says. */
export const exitCodes = {
  done: 0,
  failed: 1,
  /** The command line itself is wrong. */
  usage: 2,
  notFound: 3,
  /** The hub refuses the caller: 401 or 403. */
  refused: 4,
  /** The job has ended, and not on all devices well. */
  endedWithFailures: 5,
  cancelled: 6,
  waitTimedOut: 7,
  interrupted: 130,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** A problem that the user can solve: one line and an exit code. */
export class CommandError extends Error {
  readonly exitCode: ExitCode

  constructor(message: string, { exitCode = exitCodes.failed, cause }: { exitCode?: ExitCode; cause?: unknown } = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'CommandError'
    this.exitCode = exitCode
  }
}

export function usageError(message: string): CommandError {
  return new CommandError(message, { exitCode: exitCodes.usage })
}

/** The line and the exit code for an error that the user can solve. Null: it is a bug. */
export function complaintOf(error: unknown): { readonly text: string; readonly exitCode: ExitCode } | null {
  if (error instanceof CommandError) return { text: inOneLine(error.message), exitCode: error.exitCode }
  if (!(error instanceof MusterError)) return null
  const tracking = error.trackingId === null ? '' : ` (tracking id ${error.trackingId})`
  const name = error.status === null ? '' : `${error.code}: `
  return { text: inOneLine(`${name}${error.message}${tracking}`), exitCode: exitCodeOf(error) }
}

function exitCodeOf({ status, code }: MusterError): ExitCode {
  if (status === 404 && code.endsWith('NotFound')) return exitCodes.notFound
  if (status === 401 || (status === 403 && code !== 'DeviceMaximumInflightMethodExceeded')) return exitCodes.refused
  return exitCodes.failed
}

function inOneLine(text: string): string {
  return withoutControls(text.replaceAll(/\s*\n\s*/g, ' '))
}
