/** How fast a job reaches its devices. */
export interface Rollout {
  /** Devices a minute. */
  readonly maximumPerMinute?: number | undefined
  readonly exponentialRate?: ExponentialRate | undefined
  /** Devices in flight. */
  readonly maximumInFlight?: number | undefined
}

/** A rate that rises, up to `maximumPerMinute`. */
export interface ExponentialRate {
  readonly baseRatePerMinute: number
  /** 1.1 to 5. */
  readonly incrementFactor: number
  /** After how many devices more that were called, or have succeeded. */
  readonly rateIncreaseCriteria:
    | { readonly numberOfNotifiedThings: number }
    | { readonly numberOfSucceededThings: number }
}

/** What to change of a job. Null takes a limit away. */
export interface JobChange {
  readonly rollout?: { readonly [Name in keyof Rollout]?: Rollout[Name] | null } | undefined
  readonly priority?: number | null | undefined
  readonly maxExecutionTimeInSeconds?: number | undefined
}

export interface PauseRequest {
  readonly reason?: string | undefined
  readonly pauseTimeoutSeconds?: number | undefined
}

/** Which jobs to stop, and why. By default all. */
export interface StopRequest {
  readonly reason?: string | undefined
  readonly type?: 'scheduleUpdateTwin' | 'scheduleDeviceMethod' | undefined
  readonly jobIdPrefix?: string | undefined
}

/** Jobs that were paused together. */
export interface Stop extends StopRequest {
  readonly stopId: string
  readonly time: string
  readonly actor?: string
  readonly pausedCount: number
  /** Calls that were handed over to devices after the stop. Absent: they could not be counted in time. */
  readonly handedOverCount?: number
  /** Devices of which that is not known yet. */
  readonly undecidedCount?: number
  readonly resumedTime?: string
  readonly resumedCount?: number
}

/** What holds a job, or a device of it, now; of one that has ended, why. */
export interface Why {
  readonly jobId: string
  readonly deviceId?: string
  readonly status: string
  readonly reasons: readonly WhyReason[]
}

export interface WhyReason {
  /** A word such as `paused`, `stage` or `connection`. A later hub may know more. */
  readonly code: string
  readonly text: string
  /** It ends then, or is looked at again. */
  readonly untilTime?: string
  /** Devices that it concerns. */
  readonly deviceCount?: number
}
