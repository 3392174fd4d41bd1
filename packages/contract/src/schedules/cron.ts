import { Cron } from 'croner'
import { firstInstantOf, wallTimeOf } from './local-time.ts'

/** A day counts when either of the two fields for days has it, unless one of them is `*`. */
export const cronRule =
  'minute, hour, day of the month, month and day of the week, such as "0 3 * * 1" for Mondays at 03:00'

/**
 * The first time after another at which a cron expression comes, in a zone. Null: it never comes. Where the clock of the zone is changed:
 * with the hour `*` it comes at each hour that passes. Else a time that the clock leaves out comes at the first minute after the gap, and
 * one that the clock shows twice comes the first time. The library alone repeats some of those, and leaves out others.
 * @throws TypeError or RangeError when it is no such expression, or there is no such zone
 */
export function cronTimeAfter(cron: string, timeZone: string, after: Date): Date | null {
  if (fieldsOf(cron)[1] === '*') return calculator(cron, timeZone).nextRun(after)

  const onWall = calculator(cron, 'UTC')
  let wallTime = onWall.nextRun(wallTimeOf(after, timeZone))
  while (wallTime !== null) {
    const time = firstInstantOf(wallTime, timeZone)
    if (time > after) return time
    wallTime = onWall.nextRun(wallTime)
  }
  return null
}

/** Without a function to call, it has no timer. */
function calculator(cron: string, timezone: string): Cron {
  return new Cron(cron, { timezone, mode: '5-part' })
}

/** Whether `cronTimeAfter` understands it. */
export function isCron(text: string): boolean {
  try {
    calculator(text, 'UTC')
    return fieldsOf(text).length === 5
  } catch {
    return false
  }
}

function fieldsOf(cron: string): readonly string[] {
  return cron.trim().split(/\s+/)
}
