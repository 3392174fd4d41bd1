import type { JobExtensions } from '@muster/client'
import { type Command, InvalidArgumentError } from 'commander'
import { usageError } from '../failure.ts'

type Windows = NonNullable<JobExtensions['windows']>

export interface WindowOptions {
  readonly window?: readonly Windows[number][]
  readonly windowZone?: string
  readonly strictEnd?: boolean
}

/** When the devices of a job may be asked. */
export function addWindowOptions(command: Command): Command {
  return command
    .option(
      '--window <times>',
      'when attempts may start, such as "0 2 * * * for 180": a cron expression and minutes; may be given again',
      collectWindow,
    )
    .option('--window-zone <zone>', 'the zone of these times, or the tag that names that of a device: tags.timeZone')
    .option('--strict-end', 'start nothing that may be answered only after a window')
}

/** The member of the job. Empty: it has no windows. */
export function windowsOf({ window, windowZone, strictEnd }: WindowOptions): Pick<JobExtensions, 'windows'> {
  const all = {
    ...(windowZone === undefined ? {} : { timeZone: windowZone }),
    ...(strictEnd === undefined ? {} : { strictEnd }),
  }
  if (window !== undefined) return { windows: window.map((one) => ({ ...one, ...all })) }
  if (windowZone === undefined && strictEnd === undefined) return {}
  throw usageError('--window-zone and --strict-end need a --window')
}

function collectWindow(text: string, before: readonly Windows[number][] = []): readonly Windows[number][] {
  const [, cron = '', minutes = ''] = /^(.+?)\s+for\s+(\d{1,4})$/.exec(text.trim()) ?? []
  if (cron === '')
    throw new InvalidArgumentError('Expected a cron expression and minutes, such as "0 2 * * * for 180".')
  return [...before, { cron, durationMinutes: Number(minutes) }]
}
