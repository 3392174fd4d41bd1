import type { JobKey } from '../ids.ts'
import { formatInstant } from '../instant.ts'
import type { DeviceJobStatistics, JobStatus, JobType } from '../job.ts'
import type { JsonObject } from '../json.ts'

/** What can happen to a job, as callers read it. */
export const jobEventKinds = [
  'created',
  'started',
  'stage',
  'paused',
  'resumed',
  'changed',
  'expired',
  'cancelled',
  'ended',
] as const
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
  /** Why it has failed, or was paused, and so on. Null: there is nothing to tell. */
  readonly reason: string | null
  /** The stage that opened, from 0. Null: another event. */
  readonly stageNo: number | null
  /** What somebody has changed, by the names of the members: their new values, null for one that was taken away. Null: nothing. */
  readonly changes: JsonObject | null
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
  const { jobId, kind, time, actor, clientAddress, type, status, reason, stageNo, changes, deviceCount, statistics } =
    event
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
    ...(stageNo === null ? {} : { stageNo }),
    ...(changes === null ? {} : { changes }),
    ...(deviceCount === null ? {} : { deviceCount }),
    ...(statistics === null ? {} : { deviceJobStatistics: { ...statistics } }),
  }
}
