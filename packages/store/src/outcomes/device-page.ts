import type { DeviceJobStatistics, DeviceJobStatus } from '@muster/contract'
import type { Expression, Step } from '@muster/query'
import type { Page, QueryPageRequest } from '../postgres/page.ts'
import { withinQueryTime } from '../postgres/query-time.ts'
import type { Db } from '../postgres/sql.ts'
import { searchDeviceJobs } from '../queries/device-jobs.ts'
import { countErrorCodes } from './failure-groups.ts'
import { findJob } from './found-job.ts'

/** Which devices of a job. Null: any. */
export interface DeviceFilter {
  readonly statuses: readonly DeviceJobStatus[] | null
  /** Devices that failed have an error, and canceled or skipped ones that may have been called. */
  readonly errorCodes: readonly string[] | null
  readonly deviceId: string | null
}

/** A page of the devices of a job. */
export interface DevicePage extends Page {
  /** Of the job: one that is made later under the same id has another one. */
  readonly jobKey: string
  /** On the first page. */
  readonly counts: DeviceCounts | null
}

/** All devices of a job, whatever the filter, in the snapshot of the page. */
export interface DeviceCounts {
  /** Skipped ones are absent if there are none. */
  readonly byStatus: Readonly<Record<Exclude<DeviceJobStatus, 'skipped'>, number>> & { readonly skipped?: number }
  readonly byErrorCode: Readonly<Record<string, number>>
}

/**
 * Devices of a job that a filter selects, in the order of `queryDeviceJobs`; none before its target set is frozen. Null: there is no
 * such job.
 * @throws HubError GatewayTimeout when it takes too long, ArgumentInvalid for a position of no page
 */
export async function readDevicePage(
  db: Db,
  jobId: string,
  filter: DeviceFilter,
  request: QueryPageRequest & { readonly withCounts: boolean },
): Promise<DevicePage | null> {
  return withinQueryTime(db, async (search) => {
    const job = await findJob(search, jobId)
    if (job === null) return null
    const { key: jobKey, frozen } = job
    const codes = request.withCounts && frozen !== null ? await countErrorCodes(search, frozen) : {}
    const counts = request.withCounts ? { byStatus: byStatus(frozen?.statistics), byErrorCode: codes } : null
    if (frozen === null) return { jobKey, counts, items: [], continuation: null }
    return { jobKey, counts, ...(await searchDeviceJobs(search, conditionOf(jobId, filter), request)) }
  })
}

function byStatus(statistics: DeviceJobStatistics | undefined): DeviceCounts['byStatus'] {
  return {
    pending: statistics?.pendingCount ?? 0,
    running: statistics?.runningCount ?? 0,
    completed: statistics?.succeededCount ?? 0,
    failed: statistics?.failedCount ?? 0,
    canceled: statistics?.canceledCount ?? 0,
    ...(statistics?.skippedCount === undefined ? {} : { skipped: statistics.skippedCount }),
  }
}

function conditionOf(jobId: string, { statuses, errorCodes, deviceId }: DeviceFilter): Expression {
  const wanted = errorCodes === null ? statuses : (statuses ?? ['failed', 'canceled', 'skipped'])
  return {
    kind: 'and',
    operands: [
      isOneOf('jobId', [], [jobId]),
      ...(wanted === null ? [] : [isOneOf('status', [], wanted)]),
      ...(errorCodes === null ? [] : [isOneOf('error', ['code'], errorCodes)]),
      ...(deviceId === null ? [] : [isOneOf('deviceId', [], [deviceId])]),
    ],
    at: 0,
  }
}

/** Whether a member of a device job has one of these values. */
export function isOneOf(root: string, steps: readonly Step[], values: readonly string[]): Expression {
  const operand = { kind: 'path', root, steps, at: 0 } as const
  return { kind: 'membership', isNegated: false, operand, values: new Set(values), at: 0 }
}
