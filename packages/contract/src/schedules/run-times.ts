import { cronTimeAfter } from './cron.ts'

/** When a schedule has runs. */
export interface RunTimes {
  readonly rhythm: Rhythm
  /** No run before it. Null: none is bounded. */
  readonly startAt: Date | null
  /** No run after it. */
  readonly endAt: Date | null
}

export type Rhythm =
  | { readonly kind: 'cron'; readonly cron: string; readonly timeZone: string }
  /** At `anchor`, and so many seconds after each time. */
  | { readonly kind: 'every'; readonly seconds: number; readonly anchor: Date }

/** The first time of a run after another time. Null: there is none. */
export function runTimeAfter({ rhythm, startAt, endAt }: RunTimes, after: Date): Date | null {
  const from = startAt !== null && startAt > after ? new Date(startAt.getTime() - 1) : after
  const time = timeAfter(rhythm, from)
  return time === null || (endAt !== null && time > endAt) ? null : time
}

/** The times of the runs after another time, at most so many. */
export function runTimesAfter(times: RunTimes, after: Date, count: number): readonly Date[] {
  const found: Date[] = []
  for (let time = runTimeAfter(times, after); time !== null && found.length < count; time = runTimeAfter(times, time)) {
    found.push(time)
  }
  return found
}

function timeAfter(rhythm: Rhythm, after: Date): Date | null {
  if (rhythm.kind === 'cron') return cronTimeAfter(rhythm.cron, rhythm.timeZone, after)
  const anchorMs = rhythm.anchor.getTime()
  if (anchorMs > after.getTime()) return rhythm.anchor
  const everyMs = rhythm.seconds * 1000
  return new Date(anchorMs + (Math.floor((after.getTime() - anchorMs) / everyMs) + 1) * everyMs)
}
