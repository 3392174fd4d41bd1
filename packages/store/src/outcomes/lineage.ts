import type { DeviceJobStatistics, DeviceJobStatus, JobStatus } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { statistics } from '../jobs/jobs.ts'
import { toStatistics } from '../jobs/statistics.ts'
import type { QueryPageRequest } from '../postgres/page.ts'
import { type Search, withinQueryTime } from '../postgres/query-time.ts'
import { type Db, instant, instantOrNull, texts } from '../postgres/sql.ts'
import { deviceJobRows, planByChunk } from '../queries/device-job-rows.ts'
import { searchDeviceJobs } from '../queries/device-jobs.ts'
import { isOneOf } from './device-page.ts'

/** A job and all those around it by reruns, each after the one that it reruns. The first is the oldest whose history is kept. */
export interface Lineage {
  readonly jobs: readonly LineageJob[]
  /** How many devices the jobs are for, and what has become of each in the last of those that were for it. Null: not asked for. */
  readonly latest: { readonly deviceCount: number; readonly byStatus: Partial<Record<DeviceJobStatus, number>> } | null
  /** The rows of one device, as they were written, at most 1000. Null: not asked for. */
  readonly deviceJobs: readonly string[] | null
}

interface LineageJob {
  readonly jobId: string
  readonly parentJobId: string | null
  readonly status: JobStatus
  readonly createdTime: Date
  readonly endTime: Date | null
  /** Null until the target set is frozen. */
  readonly statistics: DeviceJobStatistics | null
}

const rowsMax = 1_000

/**
 * The lineage of a job in one snapshot. `deviceId`: with the rows of that device in place of the counts. A job whose target set is not frozen
 * does not count. Null: there is no such job.
 * @throws HubError GatewayTimeout when it takes too long
 */
export async function readLineage(
  db: Db,
  jobId: string,
  { deviceId, write }: { readonly deviceId: string | null } & Pick<QueryPageRequest, 'write'>,
): Promise<Lineage | null> {
  return withinQueryTime(db, async (search) => {
    const found = await search<LineageRow>(selectLineage(jobId))
    if (found.length === 0) return null
    const jobs = found.map(toLineageJob)
    if (deviceId === null) return { jobs, latest: await countLatest(search, found), deviceJobs: null }
    const jobIds = jobs.map((job) => job.jobId)
    const where = {
      kind: 'and',
      operands: [isOneOf('jobId', [], jobIds), isOneOf('deviceId', [], [deviceId])],
      at: 0,
    } as const
    const { items } = await searchDeviceJobs(search, where, { limit: rowsMax, after: null, write })
    return { jobs, latest: null, deviceJobs: items }
  })
}

interface LineageRow extends Record<string, unknown> {
  readonly job_key: string
  readonly job_id: string
  readonly parent_job_id: string | null
  readonly status: JobStatus
  readonly week: string | null
  readonly created_at: string
  readonly ended_at: string | null
  readonly counts: readonly number[] | null
}

/** A job is made after the one that it reruns, so it has a higher key, and there is no circle. */
function selectLineage(jobId: string): SQL {
  return sql`
    with recursive ancestor as (
      select job_key, parent_key from jobs where job_id = ${jobId}
       union all
      select parent.job_key, parent.parent_key
        from ancestor join jobs parent on parent.job_key = ancestor.parent_key),
    descendant as (
      select min(job_key) as job_key from ancestor
       union all
      select child.job_key
        from descendant join jobs child on child.parent_key = descendant.job_key)
    select job_key::text, job_id, status, week::text, created_at::text, ended_at::text, ${statistics},
           (select parent.job_id from jobs parent where parent.job_key = jobs.parent_key) as parent_job_id
      from descendant
      join jobs using (job_key)
     order by jobs.job_key`
}

function toLineageJob(row: LineageRow): LineageJob {
  return {
    jobId: row.job_id,
    parentJobId: row.parent_job_id,
    status: row.status,
    createdTime: instant(row.created_at),
    endTime: instantOrNull(row.ended_at),
    statistics: row.week === null ? null : toStatistics(row.counts ?? []),
  }
}

/** For the rest of the transaction: a million devices are sorted. */
const roomForDevices = sql`select set_config('work_mem', '64MB', true)`

async function countLatest(search: Search, jobs: readonly LineageRow[]): Promise<NonNullable<Lineage['latest']>> {
  const frozen = jobs.flatMap(({ job_key, week }) => (week === null ? [] : [{ job_key, week }]))
  const weeks = texts([...new Set(frozen.map(({ week }) => week))])
  const keys = texts(frozen.map(({ job_key }) => job_key))
  await search(planByChunk)
  await search(roomForDevices)
  const counted = await search<{ status: DeviceJobStatus; count: number }>(sql`
    with latest as (
      select distinct on (device_job.device_id) device_job.status
        from (${deviceJobRows(sql`c.week = any(${weeks}::date[]) and c.job_key = any(${keys}::bigint[])`)}) as device_job
       order by device_job.device_id, device_job.job_key desc)
    select status, count(*)::int as count from latest group by status order by status`)
  return {
    deviceCount: counted.reduce((sum, { count }) => sum + count, 0),
    byStatus: Object.fromEntries(counted.map(({ status, count }) => [status, count])),
  }
}
