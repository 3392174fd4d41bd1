import type { JobExtensions, JobType, MethodCall, ScheduledJob, TwinPatch } from '../wire.ts'

/** The bodies of schedules. Times are ISO 8601. A later hub may add members. */

/** One of `cron` and `every` is needed. */
export interface ScheduleDraft {
  /** Minute, hour, day of the month, month and day of the week. */
  readonly cron?: string | undefined
  /** Of `cron`, such as `Europe/Berlin`; by default UTC. */
  readonly timeZone?: string | undefined
  /** Seconds, at least 60. */
  readonly every?: number | undefined
  readonly job: ScheduledJob
  /** When the run before has not ended: by default `skip`. */
  readonly overlap?: 'skip' | 'queue' | 'cancelPrevious' | undefined
  /** Whether the last of the runs that were missed is made late: by default `none`. */
  readonly catchUp?: 'none' | 'last' | undefined
  readonly startAt?: Date | string | undefined
  readonly endAt?: Date | string | undefined
  /** Jobs that it makes at most. */
  readonly maxRuns?: number | undefined
}

export interface Schedule {
  readonly id: string
  readonly cron?: string
  readonly timeZone?: string
  readonly every?: number
  readonly overlap: 'skip' | 'queue' | 'cancelPrevious'
  readonly catchUp: 'none' | 'last'
  readonly startAt?: string
  readonly endAt?: string
  readonly maxRuns?: number
  readonly job: JobExtensions & {
    readonly type: JobType
    readonly queryCondition?: string
    readonly deviceIds?: readonly string[]
    readonly maxExecutionTimeInSeconds: number
    readonly updateTwin?: TwinPatch
    readonly cloudToDeviceMethod?: MethodCall
  }
  readonly createdTime: string
  readonly updatedTime: string
  /** The account that put it last. */
  readonly updatedBy?: string
  /** The next five; fewer when it ends. */
  readonly nextRunTimes: readonly string[]
  /** Of a run that waits for the end of the run before. */
  readonly waitingTime?: string
  /** Jobs that it has made. */
  readonly runCount: number
  readonly skippedCount: number
  readonly missedCount: number
  readonly lastRunTime?: string
  readonly lastJobId?: string
  readonly lastSkippedTime?: string
  readonly lastMissedTime?: string
}
