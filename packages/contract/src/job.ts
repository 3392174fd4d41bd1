import type { JobId, JobKey } from './ids.ts'
import { formatInstant } from './instant.ts'
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
export const deviceJobStatuses = ['pending', 'running', 'completed', 'failed', 'canceled'] as const
export type DeviceJobStatus = (typeof deviceJobStatuses)[number]

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
}

/** deviceCount = succeeded + failed + running + pending + canceled, in every read. */
export interface DeviceJobStatistics {
  readonly deviceCount: number
  readonly succeededCount: number
  readonly failedCount: number
  readonly runningCount: number
  readonly pendingCount: number
  readonly canceledCount: number
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

/** What can happen to a job, as callers read it. */
export const jobEventKinds = ['created', 'started', 'expired', 'cancelled', 'ended'] as const
export type JobEventKind = (typeof jobEventKinds)[number]

/** Something that has happened to a job. It never changes. */
export interface JobEvent {
  /** Its place among the events of the hub, from 1. Not every number has an event. */
  readonly no: number
  readonly jobKey: JobKey
  readonly jobId: string
  readonly type: JobType
  readonly kind: JobEventKind
  readonly time: Date
  /** The account that asked for it. Null: the hub itself. */
  readonly actor: string | null
  /** The IP address from which it was asked for. Null: the hub itself, or nobody knows. */
  readonly clientAddress: string | null
  /** How the job has ended. Null: it has not. */
  readonly status: JobStatus | null
  /** Why it has failed. Null: it has not. */
  readonly reason: string | null
  /** Null: not known, because the job has not started. */
  readonly deviceCount: number | null
  /** At the end of a job that had started, in the moment of that end: devices in flight still count as running. Null: elsewhere. */
  readonly statistics: DeviceJobStatistics | null
}

/** Whether a job does nothing more after this event. */
export function isLast({ kind }: Pick<JobEvent, 'kind'>): boolean {
  return kind === 'cancelled' || kind === 'ended'
}

/** An event on the wire, the same everywhere. `eventId`: what callers know it by. */
export function eventJson(event: JobEvent, eventId: string): JsonObject {
  const { jobId, kind, time, actor, clientAddress, type, status, reason, deviceCount, statistics } = event
  return {
    eventId,
    jobId,
    kind,
    time: formatInstant(time),
    actor,
    clientAddress,
    type,
    ...(status === null ? {} : { status }),
    ...(reason === null ? {} : { reason }),
    ...(deviceCount === null ? {} : { deviceCount }),
    ...(statistics === null ? {} : { deviceJobStatistics: { ...statistics } }),
  }
}
/** An event of a job as the store has it. */
export interface JobEventRecord {
  readonly eventId: string
  readonly jobId: string
  readonly type: JobType
  /** Of the store: `completed` and `failed` are both shown as `ended`. */
  readonly kind: string
  readonly time: Date
  /** Null: the hub itself. */
  readonly actor: string | null
  readonly clientAddress: string | null
  /** Null: not known, because the job has not started. */
  readonly deviceCount: number | null
  /** Null: not counted to the end yet. */
  readonly statistics: DeviceJobStatistics | null
}
