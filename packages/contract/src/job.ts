import type { ErrorName } from './errors.ts'
import type { Extensions } from './extensions/extensions.ts'
import type { JobId, JobKey } from './ids.ts'
import type { JsonObject } from './json.ts'

export const jobTypes = ['scheduleUpdateTwin', 'scheduleDeviceMethod'] as const
export type JobType = (typeof jobTypes)[number]

export const jobStatuses = ['queued', 'scheduled', 'running', 'completed', 'failed', 'cancelled'] as const
export type JobStatus = (typeof jobStatuses)[number]

/** Which status may follow which. A status with no successor is terminal, and terminal is final. */
export const jobTransitions: Record<JobStatus, readonly JobStatus[]> = {
  queued: ['scheduled', 'running', 'failed', 'cancelled'],
  scheduled: ['queued', 'running', 'failed', 'cancelled'],
  running: ['completed', 'failed', 'cancelled'],
  completed: [],
  failed: [],
  cancelled: [],
}

export function isTerminal(status: JobStatus): boolean {
  return jobTransitions[status].length === 0
}

/** Status of one device job, as per-device rows show it. */
export const deviceJobStatuses = ['pending', 'running', 'completed', 'failed', 'canceled', 'skipped'] as const
export type DeviceJobStatus = (typeof deviceJobStatuses)[number]

/** A call of a device job that may have reached the device: its answer has a status, every other end a code. */
export interface KeptAttempt {
  /** ISO 8601: when its end was known. */
  readonly time: string
  readonly status?: number
  readonly code?: ErrorName
  /** The payload of the answer, or the text of the error; shortened. */
  readonly text: string
}

/** Which devices a job is for: a condition over twins, or an explicit list. */
export type Target =
  | { readonly kind: 'condition'; readonly queryCondition: string }
  | { readonly kind: 'devices'; readonly deviceIds: readonly string[] }

/** A job as a caller asked for it, checked and normalised. */
export interface JobRequest {
  readonly jobId: JobId
  readonly type: JobType
  readonly target: Target
  /** The body of the operation, from `updateTwin` or `cloudToDeviceMethod`, normalised. */
  readonly body: JsonObject
  /** When to start. Null, or a time in the past, means now. */
  readonly startTime: Date | null
  readonly maxExecutionTimeInSeconds: number
  /** Absent: none. */
  readonly extensions?: Extensions
}

/** What the jobs of a schedule have in common. */
export interface JobTemplate extends Required<Omit<JobRequest, 'jobId' | 'startTime'>> {
  /** As reads of the jobs show it. */
  readonly queryCondition: string
}

/** deviceCount = succeeded + failed + running + pending + canceled + skipped, in every read. */
export interface DeviceJobStatistics {
  readonly deviceCount: number
  readonly succeededCount: number
  readonly failedCount: number
  readonly runningCount: number
  readonly pendingCount: number
  readonly canceledCount: number
  /** Absent: none was skipped. */
  readonly skippedCount?: number
}

/** Who paused a job, and why. Null: the hub itself, and no reason. */
export interface JobPause {
  readonly time: Date
  readonly by: string | null
  readonly reason: string | null
}

/** A job as the store knows it. */
export interface Job {
  readonly key: JobKey
  readonly jobId: JobId
  readonly type: JobType
  readonly status: JobStatus
  readonly queryCondition: string
  readonly body: JsonObject
  readonly createdTime: Date
  readonly startTime: Date
  /** When its target set was frozen: it runs since then. */
  readonly frozenTime: Date | null
  readonly endTime: Date | null
  readonly maxExecutionTimeInSeconds: number
  readonly extensions: Extensions
  /** 0 to 1000. */
  readonly priority: number
  /** Null: it is not paused, or has ended. */
  readonly pause: JobPause | null
  /** The schedule that has made it. Null: a caller has. */
  readonly scheduleId: string | null
  readonly failureReason: string | null
  /** The span that asked for it, as in the W3C header of this name. Null: nothing was traced. */
  readonly traceparent: string | null
  /** Null until the target set is frozen. */
  readonly statistics: DeviceJobStatistics | null
}

/** How long an ended job has run; null if it has not started, or not ended. */
export function runSeconds({ frozenTime, endTime }: Pick<Job, 'frozenTime' | 'endTime'>): number | null {
  return frozenTime === null || endTime === null ? null : (endTime.getTime() - frozenTime.getTime()) / 1000
}
