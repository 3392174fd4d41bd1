import type { JobTemplate, RunTimes } from '@muster/contract'

/** What becomes of a run whose time has come while the run before has not ended. */
export const overlaps = ['skip', 'queue', 'cancelPrevious'] as const
export type Overlap = (typeof overlaps)[number]

/** What becomes of runs whose times passed while no dispatcher was there: nothing, or the last one is made late. */
export const catchUps = ['none', 'last'] as const
export type CatchUp = (typeof catchUps)[number]

/** What a caller asks for. */
export interface ScheduleRequest {
  readonly scheduleId: string
  readonly times: RunTimes
  readonly overlap: Overlap
  readonly catchUp: CatchUp
  /** Jobs that it makes at most. Null: no bound. */
  readonly maxRuns: number | null
  readonly job: JobTemplate
}

/** A schedule as the store knows it. A count is one since it was made. */
export interface Schedule extends ScheduleRequest {
  readonly createdTime: Date
  readonly updatedTime: Date
  /** The account that put it last. Null: nobody whom the hub knows. */
  readonly actor: string | null
  /** When its next run is due. Null: there is none. */
  readonly nextTime: Date | null
  /** The time of a run that waits for the end of the run before. */
  readonly waitingTime: Date | null
  readonly runCount: number
  readonly skippedCount: number
  readonly missedCount: number
  /** For which time the last run was made. */
  readonly lastRunTime: Date | null
  readonly lastJobId: string | null
  readonly lastSkippedTime: Date | null
  readonly lastMissedTime: Date | null
}

/** Whether it has made all its runs, or the last one waits. */
export function isSpent({
  maxRuns,
  runCount,
  waitingTime,
}: Pick<Schedule, 'maxRuns' | 'runCount' | 'waitingTime'>): boolean {
  return maxRuns !== null && runCount + (waitingTime === null ? 0 : 1) >= maxRuns
}
