import { runTimeAfter } from '@muster/contract'
import type { CatchUp, Schedule } from './schedule.ts'

/** A run that is made later than this after its time has been missed. */
const graceMs = 60_000
/** Times that one step looks at. To find so many takes about 0.1 s, in which the process does nothing else. */
const mostTimes = 1000

export interface DueTimes {
  /** The time of the run to be made now. Null: none. */
  readonly runAt: Date | null
  readonly missedCount: number
  readonly lastMissed: Date | null
  /** The first time that was not looked at. */
  readonly next: Date | null
}

/** What becomes of the times that have come. Those before the last one were missed: one run is made for a time, not for each. */
export function dueTimes(
  { times, nextTime, catchUp }: Pick<Schedule, 'times' | 'nextTime' | 'catchUp'>,
  now: Date,
): DueTimes {
  const passed: Date[] = []
  let next = nextTime
  while (next !== null && next <= now && passed.length < mostTimes) {
    passed.push(next)
    next = runTimeAfter(times, next)
  }
  const last = passed.at(-1) ?? null
  const isBehind = next !== null && next <= now
  const runAt = last !== null && !isBehind && isMade(last, catchUp, now) ? last : null
  const missed = runAt === null ? passed : passed.slice(0, -1)
  return { runAt, missedCount: missed.length, lastMissed: missed.at(-1) ?? null, next }
}

function isMade(time: Date, catchUp: CatchUp, now: Date): boolean {
  return catchUp === 'last' || now.getTime() - time.getTime() <= graceMs
}
