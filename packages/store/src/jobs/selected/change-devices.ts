import { HubError, type JobKey, type JobStatus, jobKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { briefly } from '../../postgres/briefly.ts'
import { isStatementTimeout } from '../../postgres/database-error.ts'
import { at, type Db, json, rows } from '../../postgres/sql.ts'
import { type Asker, addJobEvent } from '../job-events.ts'
import { type DeviceSelection, isListed, planFor, type StartedJob, selectedDevices } from './device-selection.ts'
import { endDevices, lockDevices } from './end-devices.ts'

/**
 * What can be done to devices of a running job. `skip` and `cancel` end those that wait or have not started; `retry` makes the next attempt
 * of those that wait due.
 */
export const deviceActions = ['skip', 'cancel', 'retry'] as const
export type DeviceAction = (typeof deviceActions)[number]

export type DeviceChange =
  /** `matchedCount`: devices that were selected; `changedCount`: those of them to which it was done. */
  | { readonly kind: 'done'; readonly key: JobKey; readonly matchedCount: number; readonly changedCount: number }
  | { readonly kind: 'idle'; readonly status: JobStatus }
  | { readonly kind: 'missing' }

interface ChangeRequest {
  readonly action: DeviceAction
  readonly selection: DeviceSelection
  readonly asker: Asker
}

const statementSeconds = 10

/**
 * Does something to the selected devices of a running job, in one transaction. A device in flight is left as it is, and so is one that has
 * ended. If any was changed, an event tells how many. `idle`: the job has not started, or has ended.
 * @throws HubError GatewayTimeout when it takes too long; nothing is changed then
 */
export async function changeDevices(db: Db, jobId: string, request: ChangeRequest, now: Date): Promise<DeviceChange> {
  try {
    return await briefly(db, (tx) => change(tx, jobId, request, now), {
      settings: { statement_timeout: statementSeconds * 1000, jit: 'off' },
    })
  } catch (cause) {
    if (!isStatementTimeout(cause)) throw cause
    const message = `the change took longer than ${statementSeconds} seconds, and nothing was changed; name fewer devices`
    throw new HubError('GatewayTimeout', { message, cause })
  }
}

async function change(
  tx: Db,
  jobId: string,
  { action, selection, asker }: ChangeRequest,
  now: Date,
): Promise<DeviceChange> {
  const job = await lockJob(tx, jobId)
  if (job === null) return { kind: 'missing' }
  const { status, week } = job
  if (status !== 'running' || week === null) return { kind: 'idle', status }
  const started = { key: job.key, week }
  await planFor(tx, selection)
  if (action !== 'retry') await lockDevices(tx, started, selection.deviceIds)
  const matchedCount = await countSelected(tx, started, selection)
  const changedCount = mayBePending(selection) ? await carryOut(tx, started, { action, selection }, now) : 0
  if (changedCount > 0) {
    const fields = json({ changes: { action, deviceCount: changedCount } })
    await addJobEvent(
      tx,
      { kind: 'changed', now, asker, fields },
      sql`(select ${job.key}::bigint as job_key) as changed`,
    )
  }
  return { kind: 'done', key: jobKey(job.key), matchedCount, changedCount }
}

/**
 * The job before its chunks. The lock is that which its event takes, and so keeps away only those who would wait for the chunks while they
 * hold the job for themselves. A claim and a cancel go on.
 */
async function lockJob(tx: Db, jobId: string) {
  const [job] = await rows<{ key: string; status: JobStatus; week: string | null }>(
    tx,
    sql`select job_key::text as key, status, week::text from jobs where job_id = ${jobId} for key share`,
  )
  return job ?? null
}

async function countSelected(tx: Db, job: StartedJob, selection: DeviceSelection): Promise<number> {
  const [counted] = await rows<{ count: number }>(
    tx,
    sql`select count(*)::int as count from (${selectedDevices(job, selection)}) as selected`,
  )
  return counted?.count ?? 0
}

/** A pending device has no error. */
function mayBePending({ statuses, errorCodes }: DeviceSelection): boolean {
  return errorCodes === null && (statuses === null || statuses.includes('pending'))
}

async function carryOut(
  tx: Db,
  job: StartedJob,
  { action, selection: { deviceIds } }: Pick<ChangeRequest, 'action' | 'selection'>,
  now: Date,
): Promise<number> {
  switch (action) {
    case 'skip':
      return endDevices(tx, job, { deviceIds, status: 'skipped' }, now)
    case 'cancel':
      return endDevices(tx, job, { deviceIds, status: 'canceled' }, now)
    case 'retry':
      return makeDue(tx, job, deviceIds, now)
  }
}

/** Locks the rows in key order, as everybody does who makes such rows due. */
async function makeDue(
  tx: Db,
  { key, week }: StartedJob,
  deviceIds: DeviceSelection['deviceIds'],
  now: Date,
): Promise<number> {
  const due = await rows(
    tx,
    sql`
    with waiting as (
      select r.device_id
        from device_jobs r
        join chunks c using (week, job_key, chunk_no)
       where r.week = ${week} and r.job_key = ${key} and r.status = 'pending' and r.due_at > ${at(now)}
         and c.rest is null and ${isListed(sql`r.device_id`, deviceIds)}
       order by r.device_id
         for update of r)
    update device_jobs r
       set due_at = ${at(now)}
      from waiting
     where r.week = ${week} and r.job_key = ${key} and r.device_id = waiting.device_id
       and r.status = 'pending' and r.due_at > ${at(now)}
    returning r.device_id`,
  )
  return due.length
}
