import type { DeviceJobStatus } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { type Db, instantOrNull, rows } from '../../postgres/sql.ts'
import { inOpenZone } from '../rollout/windows.ts'
import { type AskedJob, readAskedJob } from './asked-job.ts'
import { holdOfJob, holdsOfRunning } from './job-holds.ts'
import { type Reason, reason } from './reason.ts'

export type WhyDevice =
  | { readonly kind: 'told'; readonly status: DeviceJobStatus; readonly reasons: readonly Reason[] }
  /** The job is not for the device, or its target set is not frozen. */
  | { readonly kind: 'noTarget' }
  | { readonly kind: 'noJob' }

/** Why a device of a job is as it is, from what decides it. */
export async function whyDevice(
  db: Db,
  { jobId, deviceId }: { readonly jobId: string; readonly deviceId: string },
  options: { readonly maxRunningJobs: number },
  now: Date,
): Promise<WhyDevice> {
  const job = await readAskedJob(db, jobId)
  if (job === null) return { kind: 'noJob' }
  const found = job.week === null ? undefined : await findDevice(db, { ...job, week: job.week }, deviceId, now)
  if (found === undefined) return { kind: 'noTarget' }

  const state = stateOf(found)
  if (state !== 'pending') return { kind: 'told', status: state, reasons: [told(found, state)] }
  const hold = await holdOfJob(db, job, options, now)
  const own = ownReason(job, found, now)
  if (hold !== null) return { kind: 'told', status: state, reasons: own === null ? [hold] : [hold, own] }
  const holds = (await holdsOfRunning(db, job, now)).filter((one) => isOf(one, job, found))
  const reasons = [...holds, ...(own === null ? [] : [own])].map((one) => ({ ...one, deviceCount: null }))
  return { kind: 'told', status: state, reasons: reasons.length > 0 ? reasons : [inTurn] }
}

const inTurn = reason('ready', 'A worker takes it in its turn.')

interface FoundDevice extends Record<string, unknown> {
  readonly stage_no: number
  readonly chunk_status: string
  readonly rest: 'completed' | 'canceled' | 'expired' | null
  readonly zone: string | null
  readonly is_open_zone: boolean
  readonly not_before: string | null
  readonly claims: number
  readonly status: DeviceJobStatus | null
  readonly due_at: string | null
  readonly error_code: string | null
  readonly error_text: string | null
  readonly is_registered: boolean
  readonly is_enabled: boolean
  readonly is_connected: boolean
  readonly accepts_methods: boolean
}

async function findDevice(
  db: Db,
  job: AskedJob & { readonly week: string },
  deviceId: string,
  now: Date,
): Promise<FoundDevice | undefined> {
  const { key, week } = job
  const [found] = await rows<FoundDevice>(
    db,
    sql`
    select c.stage_no, c.status as chunk_status, c.rest, c.zone, ${inOpenZone(job, sql`c.zone`, now)} as is_open_zone,
           c.not_before::text, c.claims, r.status, r.due_at::text, r.error_code, r.error_text,
           d.device_id is not null as is_registered, coalesce(d.status = 'enabled', false) as is_enabled,
           s.gateway_id is not null as is_connected, coalesce(s.accepts_methods, false) as accepts_methods
      from chunks c
      left join device_jobs r on r.week = c.week and r.job_key = c.job_key and r.device_id = ${deviceId}
      left join devices d on d.device_id = ${deviceId}
      left join sessions s on s.device_id = ${deviceId}
     where c.week = ${week} and c.job_key = ${key}
       and ${deviceId}::text collate "C" between c.device_ids[1] and c.device_ids[c.device_count]
       and c.device_ids @> array[${deviceId}::text]`,
  )
  return found
}

/** As `deviceJobRows` has it. */
function stateOf({ status, chunk_status, rest }: FoundDevice): DeviceJobStatus {
  if (status !== null && status !== 'pending') return status
  if (status === null && chunk_status === 'leased' && rest !== 'completed') return 'running'
  if (rest === null) return 'pending'
  return rest === 'expired' ? 'failed' : rest
}

function told({ error_code, error_text, rest, status }: FoundDevice, state: DeviceJobStatus): Reason {
  if (state === 'running') return reason('running', 'An attempt is under way.')
  if (error_code !== null) return reason('ended', `The device job is ${state} with ${error_code}: ${error_text}`)
  const withJob = rest !== null && status === null && state !== 'completed' ? ', with its job' : ''
  return reason('ended', `The device job is ${state}${withJob}.`)
}

/** Of the holds of a job, those that are for this device. */
function isOf({ code, text }: Reason, { openStage }: AskedJob, found: FoundDevice): boolean {
  if (code === 'stage') return found.stage_no > openStage
  if (code === 'window') return !found.is_open_zone && text.endsWith(` ${found.zone ?? 'UTC'}.`)
  return found.stage_no <= openStage
}

/** What holds this device, and not the others of its job. */
function ownReason({ deadlineAt }: AskedJob, found: FoundDevice, now: Date): Reason | null {
  const notBefore = instantOrNull(found.not_before)
  if (found.chunk_status === 'held') return reason('held', 'Its chunk is held until somebody releases it.')
  if (found.due_at === 'infinity') return reason('connection', connectionText(found), { until: deadlineAt })
  const dueAt = instantOrNull(found.due_at)
  if (dueAt !== null && dueAt > now) return reason('retry', 'The next attempt comes after a wait.', { until: dueAt })
  if (found.claims > 0 && notBefore !== null && notBefore > now) {
    return reason('chunkFailed', `The hub failed on its chunk ${found.claims} times, and tries again.`, {
      until: notBefore,
    })
  }
  return null
}

function connectionText({ is_registered, is_enabled, is_connected, accepts_methods }: FoundDevice): string {
  if (!is_registered) return 'The device is not registered any more; its device job ends soon.'
  if (!is_enabled) return 'The device is disabled.'
  if (!is_connected) return 'The device is not connected.'
  return accepts_methods
    ? 'The device has just connected.'
    : 'The device is connected, and does not take direct methods.'
}
