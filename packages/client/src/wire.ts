import type {
  DeviceJobStatistics,
  DeviceJobStatus,
  ErrorName,
  Extensions,
  JobEventKind,
  Json,
  JsonObject,
  KeptAttempt,
} from '@muster/contract'

/** The bodies of the API, as its versions since 2018 spell them. Times are ISO 8601. A later hub may add members. */

export type { DeviceJobStatistics, DeviceJobStatus, JobEventKind, Json, JsonObject }
export type JobType = 'scheduleUpdateTwin' | 'scheduleDeviceMethod'
export type JobStatus = 'queued' | 'scheduled' | 'running' | 'completed' | 'failed' | 'cancelled'

/** What to change in a twin. A member that is null is removed. */
export interface TwinPatch {
  readonly tags?: JsonObject | undefined
  readonly properties?: { readonly desired?: JsonObject | undefined } | undefined
}

export interface MethodCall {
  readonly methodName: string
  readonly payload?: Json | undefined
  /** How long the device may take to answer: 5 to 300, by default 30. */
  readonly responseTimeoutInSeconds?: number | undefined
  /** How long to wait until the device is connected: 0 to 300, by default 0. */
  readonly connectTimeoutInSeconds?: number | undefined
}

/** The status is the device's own; those of HTTP are only a custom. */
export interface MethodAnswer {
  readonly status: number
  readonly payload: Json
}

/** The devices of a job: those that meet a condition, `*` for all, or those of a list. */
export type JobTarget = { readonly queryCondition: string } | { readonly deviceIds: readonly string[] }

export interface JobWindow {
  /** By default now. */
  readonly startTime?: Date | string | undefined
  /** By default 3600. */
  readonly maxExecutionTimeInSeconds?: number | undefined
}

/** What this hub adds to the body of a job. */
export type JobExtensions = Extensions

export type NewTwinJob = JobTarget &
  JobWindow &
  JobExtensions & { readonly jobId: string; readonly updateTwin: TwinPatch }
export type NewMethodJob = JobTarget &
  JobWindow &
  JobExtensions & {
    readonly jobId: string
    readonly cloudToDeviceMethod: MethodCall
  }

/** What each run does, to devices that are found when it starts. */
export type ScheduledJob = JobTarget &
  Omit<JobWindow, 'startTime'> &
  ({ readonly updateTwin: TwinPatch } | { readonly cloudToDeviceMethod: MethodCall })

export interface CreatedJob {
  readonly jobId: string
  readonly type: JobType
  readonly status: JobStatus
  /** What was asked for that never does anything. Absent: nothing. */
  readonly warnings?: readonly string[]
}

export interface Job extends Omit<CreatedJob, 'warnings'>, JobExtensions {
  readonly createdTime: string
  readonly startTime: string
  readonly endTime?: string
  readonly maxExecutionTimeInSeconds: number
  readonly queryCondition: string
  readonly updateTwin?: TwinPatch
  readonly cloudToDeviceMethod?: MethodCall
  /** The schedule that has made it. */
  readonly scheduleId?: string
  /** It is paused since then. */
  readonly pausedTime?: string
  readonly pausedBy?: string
  readonly pauseReason?: string
  readonly failureReason?: string
  /** The job that it reruns. */
  readonly parentJobId?: string
  /** Its reruns, at most 100. Absent in a list. */
  readonly childJobIds?: readonly string[]
  /** Absent until the job has started. */
  readonly deviceJobStatistics?: DeviceJobStatistics
}

export interface JobPreview {
  readonly deviceCount: number
  readonly disabledCount: number
  readonly disconnectedCount: number
  readonly unknownCount: number
  /** The first 100 devices in the order of their ids. */
  readonly sample: readonly {
    readonly deviceId: string
    readonly status: 'enabled' | 'disabled' | 'unknown'
    readonly connectionState?: 'Connected' | 'Disconnected'
  }[]
}

/** One job on one device. */
export interface DeviceJob {
  readonly deviceId: string
  readonly jobId: string
  readonly jobType: JobType
  readonly status: DeviceJobStatus
  readonly startTimeUtc: string
  readonly endTimeUtc: string
  readonly createdDateTimeUtc: string
  readonly lastUpdatedDateTimeUtc: string
  readonly outcome: { readonly deviceMethodResponse?: MethodAnswer }
  /** Of a job with `retry`: the last ten calls that may have reached the device, oldest first. */
  readonly attempts?: readonly KeptAttempt[]
  readonly error?: { readonly code: ErrorName; readonly description: string }
}

/** How many device jobs a job has by their status, and by the code of their error. */
export interface DeviceJobCounts {
  readonly byStatus: Readonly<Partial<Record<DeviceJobStatus, number>>>
  readonly byErrorCode: Readonly<Record<string, number>>
}

export interface JobFailures {
  readonly jobId: string
  readonly deviceCount: number
  readonly failedCount: number
  /** From how many devices the shares are taken: with `deviceCount` they are exact, else estimates. */
  readonly sampledCount: number
  readonly comparedTags: readonly string[]
  /** At most 100, the largest first. */
  readonly groups: readonly FailureGroup[]
  /** The groups beside those. */
  readonly otherGroups?: { readonly groupCount: number; readonly deviceCount: number }
}

/** Device jobs that failed alike. */
export interface FailureGroup {
  readonly code: string
  readonly text: string
  readonly count: number
  readonly sampledCount: number
  readonly sampleDeviceIds: readonly string[]
  /** Values of tags that are more frequent here than among all devices of the job. */
  readonly overRepresented: readonly {
    readonly path: string
    readonly value: Json
    readonly count: number
    readonly share: number
    readonly targetShare: number
    readonly lift: number
  }[]
}

/** A part of the devices of a job. */
export interface JobStage {
  /** From 0. */
  readonly stageNo: number
  /** `closed`: the next one has opened, or the job has ended. */
  readonly status: 'waiting' | 'open' | 'closed'
  readonly openedTime?: string
  readonly closedTime?: string
  /** Why it opened. Absent: with the start of the job, or not yet. */
  readonly reason?: string
  /** What the next stage waits for. Absent: this is not the last open stage, or none follows. */
  readonly waitsFor?: {
    /** `failed`: the gate cannot open by itself; `free`: it opens within about a second. A later hub may know more. */
    readonly kind: 'devices' | 'failed' | 'soak' | 'approval' | 'free'
    readonly text: string
    /** The end of the soak. */
    readonly untilTime?: string
  }
  readonly deviceJobStatistics: DeviceJobStatistics
}

/** What has happened to a job. */
export interface JobEvent {
  /** Opaque; ordered within a job. */
  readonly eventId: string
  readonly jobId: string
  /** A later hub may know more. */
  readonly kind: JobEventKind
  readonly time: string
  /** Who asked for it. Null: the hub itself. */
  readonly actor: string | null
  readonly clientAddress: string | null
  readonly type: JobType
  readonly status?: JobStatus
  readonly reason?: string
  /** Of `changed`: the new values by the names of the members; null for one that was taken away. */
  readonly changes?: JsonObject
  /** Of the stage that opened, from 0. */
  readonly stageNo?: number
  readonly deviceCount?: number
  readonly deviceJobStatistics?: DeviceJobStatistics
}

/** The counts of a job at this moment. */
export interface JobStatisticsTold {
  readonly kind: 'statistics'
  readonly jobId: string
  readonly status: JobStatus
  readonly deviceJobStatistics: DeviceJobStatistics
}

/** Devices of a job: those that meet each member that is given. One at least is. */
export interface DeviceSelection {
  readonly statuses?: readonly DeviceJobStatus[] | undefined
  /** Such as `GatewayTimeout`. */
  readonly errorCodes?: readonly string[] | undefined
  /** At most 100,000. */
  readonly deviceIds?: readonly string[] | undefined
}

/** What a job that does an ended one again is to be. */
export interface JobRerun extends DeviceSelection {
  /** By default that of the first job, with `-rerun-` and a number. */
  readonly jobId?: string | undefined
  /** Leaves out devices that do not match the condition any more, or do not exist any more. */
  readonly requery?: boolean | undefined
  /** By default now. */
  readonly startTime?: Date | string | undefined
}

/** To skip and to cancel is for devices that wait or have not started; to retry for those that wait. */
export type DeviceAction = 'skip' | 'cancel' | 'retry'

export interface ChangedDevices {
  /** Devices that were selected. */
  readonly matchedCount: number
  /** Those of them to which it was done. */
  readonly changedCount: number
}

/** A job with all its reruns. */
export interface JobLineage {
  /** Each after the one that it reruns. */
  readonly jobs: readonly {
    readonly jobId: string
    readonly parentJobId?: string
    readonly status: JobStatus
    readonly createdTime: string
    readonly endTime?: string
    readonly deviceJobStatistics?: DeviceJobStatistics
  }[]
  /** Each device once, as it is in the last job that is for it. Absent with a `deviceId`. */
  readonly latest?: {
    readonly deviceCount: number
    readonly byStatus: Readonly<Partial<Record<DeviceJobStatus, number>>>
  }
  /** With a `deviceId`: its rows. */
  readonly deviceJobs?: readonly DeviceJob[]
}
