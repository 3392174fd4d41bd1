import type { JobKey } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { briefly, type Settings } from '../../postgres/briefly.ts'
import { prepared } from '../../postgres/prepared.ts'
import { at, type Db } from '../../postgres/sql.ts'
import { rampedRate } from './ramp.ts'

/** A running job and its limits as they were read. They may change at any moment: a claim under them looks again. */
export interface LimitedJob {
  readonly key: JobKey
  readonly week: string
  /** It has a rate or a limit of devices in flight. */
  readonly isLimited: boolean
  /** With a rate: no claim comes before. */
  readonly rateFreeAt: Date | null
}

/** A job has work that it may not start now. It is worth looking again after `waitMs`. */
export interface NotNow {
  readonly waitMs: number
}

export function isNotNow(value: object): value is NotNow {
  return 'waitMs' in value
}

/** What one claim may have. */
export interface Permission {
  /** Devices that the rate allows in a second; Infinity without a rate. */
  readonly portion: number
  readonly inFlight: number
  /** How many more may be in flight; Infinity without a limit. */
  readonly room: number
}

/** Another claim of the job holds its row for some milliseconds. */
const busy: NotNow = { waitMs: 50 }
/** Nobody knows when a device will answer. */
export const full: NotNow = { waitMs: 500 }
/** A wake-up comes a little late. What the rate allowed in this time before is not lost. */
const lateness = sql.raw(`interval '500 milliseconds'`)

/** Devices of one claim under a rate, which is in devices a minute. A rate is so kept within a second. */
function portionOf(rate: number): number {
  return Math.max(1, Math.floor(rate / 60))
}

/** A twin job with values of each device takes a statement for each in one transaction, and others wait for its locks. */
const byDeviceMax = 100

/** Of a row of `jobs`. */
interface ChunkLimits {
  readonly rate: number | null
  readonly max_in_flight: number | null
  /** Its body has other values for each device. */
  readonly is_by_device: boolean
}

/**
 * A claim takes a chunk as a whole, so it must fit into the limits of the job. It fits ten times into the devices that may be in flight, so
 * that a device that does not answer leaves work to be done beside it.
 */
export function fittingChunkSize(
  chunkSize: number,
  { rate, max_in_flight: most, is_by_device: isByDevice }: ChunkLimits,
): number {
  const allowed = [
    rate === null ? null : portionOf(rate),
    most === null ? null : Math.ceil(most / 10),
    isByDevice ? byDeviceMax : null,
  ]
  return Math.min(chunkSize, ...allowed.filter((size) => size !== null))
}

/** Whether it is of no use to ask for permission yet, as the job was read. Spares the lock, and what comes before it. */
export function isTooEarly({ rateFreeAt }: LimitedJob, now: Date): NotNow | null {
  const waitMs = (rateFreeAt?.getTime() ?? 0) - now.getTime()
  return waitMs > 0 ? { waitMs } : null
}

/** Claims devices of a limited job, in a transaction that has permission for it, with these settings. */
export async function claimPermitted<Claimed extends object>(
  db: Db,
  job: LimitedJob,
  claim: (tx: Db, permission: Permission) => Promise<Claimed | NotNow | null>,
  now: Date,
  options: { readonly settings?: Settings } = {},
): Promise<Claimed | NotNow | null> {
  return briefly(
    db,
    async (tx) => {
      const permission = await permit(tx, job, now)
      return isNotNow(permission) ? permission : claim(tx, permission)
    },
    options,
  )
}

/**
 * Permission for one claim of a limited job. It locks the row of the job until the end of the transaction, so that no other claim of the
 * job comes between the look at its limits and the claim. It never waits for the row: the wake-up comes again.
 */
async function permit(tx: Db, job: LimitedJob, now: Date): Promise<Permission | NotNow> {
  const [limits] = await prepared<{ rate: number | null; max_in_flight: number | null; wait_ms: number | null }>(
    tx,
    'permit',
    sql`
    select rate, max_in_flight, extract(epoch from rate_free_at - ${at(now)})::float8 * 1000 as wait_ms
      from jobs
     where job_key = ${job.key} and status = 'running'
       for no key update skip locked`,
  )
  if (limits === undefined) return busy
  const { rate, max_in_flight: most, wait_ms: waitMs } = limits
  if (rate !== null && waitMs !== null && waitMs > 0) return { waitMs }
  const inFlight = most === null ? 0 : await countInFlight(tx, job)
  const room = most === null ? Number.POSITIVE_INFINITY : most - inFlight
  if (room <= 0) return full
  return { portion: rate === null ? Number.POSITIVE_INFINITY : portionOf(rate), inFlight, room }
}

/**
 * Whether a chunk of so many devices fits. A chunk is never divided: one that is larger than the limit, because that was lowered after the
 * start, goes when nothing else is in flight.
 */
export function hasRoomFor({ inFlight, room }: Permission, deviceCount: number): boolean {
  return inFlight === 0 || deviceCount <= room
}

/** The sum of `running` over the chunks of the job, from the rows that are under a lease: few, however many chunks the job has. */
async function countInFlight(tx: Db, { key, week }: LimitedJob): Promise<number> {
  const [counted] = await prepared<{ count: number }>(
    tx,
    'countInFlight',
    sql`
    select (select coalesce(sum(device_count - attempted), 0)
              from chunks where week = ${week} and job_key = ${key} and status = 'leased')::int
         + (select count(*) from device_jobs where week = ${week} and job_key = ${key} and status = 'running')::int
           as count`,
  )
  return counted?.count ?? 0
}

/** Takes the time of the claimed devices from the rate, if the job has one. A rate that rises with the claims does so here. */
export async function spend(tx: Db, { key }: LimitedJob, deviceCount: number, now: Date): Promise<void> {
  await prepared(
    tx,
    'spend',
    sql`
    update jobs
       set rate_free_at = greatest(rate_free_at, ${at(now)} - ${lateness})
                          + ${deviceCount}::int * interval '1 minute' / rate,
           notified = notified + ${deviceCount}::int,
           rate = case when ramp_on = 'notified' then ${rampedRate(sql`notified + ${deviceCount}::int`)} else rate end
     where job_key = ${key} and status = 'running' and rate is not null
    returning job_key`,
  )
}
