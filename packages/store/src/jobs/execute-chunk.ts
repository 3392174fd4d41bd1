import { type DeviceError, type DeviceId, storedDeviceId } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { briefly } from '../postgres/briefly.ts'
import { isWorthRepeating } from '../postgres/database-error.ts'
import { prepared } from '../postgres/prepared.ts'
import { at, type Db, rows } from '../postgres/sql.ts'
import type { DesiredChange } from '../twins/desired-change.ts'
import { alongIndexes } from '../twins/sets.ts'
import { nextReady, type RunningJob, readUntried, untriedIds } from './chunks.ts'
import { nextTry } from './next-try.ts'
import { findLeavers } from './rollout/leavers.ts'
import { claimPermitted, type NotNow, spend } from './rollout/permission.ts'
import { putOffClosed } from './rollout/windows.ts'

/** A chunk whose work is done inside the transaction that holds its lock: no lease, no fence, exactly once. */
export interface LockedChunk {
  readonly job: RunningJob
  readonly chunkNo: number
  /** The devices on which the work is to be done. */
  readonly deviceIds: readonly DeviceId[]
  /** How many transactions of it have failed. */
  readonly claims: number
}

export interface Execution {
  /** Devices of the chunk that failed; all others succeeded, but those that were skipped. */
  readonly failures: readonly { readonly deviceId: string; readonly error: DeviceError }[]
  /** Devices that were left out. Absent: none. */
  readonly skipped?: readonly string[]
  /** The notifications to send to devices after the commit. */
  readonly desired: readonly DesiredChange[]
}

/** A chunk that has ended. `isFirst`: before it nothing of the job was done. */
export interface Executed extends Execution {
  readonly chunkNo: number
  readonly deviceCount: number
  readonly isFirst: boolean
}

/** A locked chunk of `deviceCount` devices. Those that it does not list any more have succeeded; if it lists none, it has ended. */
export interface BegunChunk extends Pick<Execution, 'desired'> {
  readonly chunk: LockedChunk
  readonly deviceCount: number
}

export interface ChunkWork {
  /** Locks the next ready chunk and does what it can of its work, in one statement. Null: no chunk is ready. */
  readonly begin?: (tx: Db) => Promise<BegunChunk | null>
  /** Does the rest. */
  readonly work: (tx: Db, chunk: LockedChunk) => Promise<Execution>
}

/** The transaction of a chunk failed for a reason that may come again. The next ones leave the chunk alone for a while. */
export class ChunkError extends Error {
  override readonly name = 'ChunkError'
}

/** How long the work on a locked chunk waits for a lock. A cancel waits behind it. */
const lockMs = 1_000

/**
 * Locks the next ready chunk of a job, has the work done, and ends the chunk, in one transaction. Null when no chunk is ready, or the
 * job may not start attempts; not now when its limits forbid it. Nothing of it is ever in flight for others to see: the chunks of a
 * limited job have their turns one after the other.
 * @throws ChunkError when the work fails, and the chunk is put off; any other error when Postgres was lost or busy
 */
export async function executeChunk(
  db: Db,
  job: RunningJob,
  chunkWork: ChunkWork,
  now: Date,
): Promise<Executed | NotNow | null> {
  const executed = await executeNext(db, job, chunkWork, now)
  if (executed === null) await putOffClosed(db, job, now)
  return executed
}

async function executeNext(
  db: Db,
  job: RunningJob,
  { begin, work }: ChunkWork,
  now: Date,
): Promise<Executed | NotNow | null> {
  const locked: { chunk: LockedChunk | null } = { chunk: null }
  const carryOut = async (tx: Db) => {
    const begun = await (begin === undefined || isContinuous(job) ? lockNextChunk(tx, job, now) : begin(tx))
    if (begun === null) return null
    const { chunk, deviceCount, desired } = begun
    if (job.isLimited) await spend(tx, job, deviceCount, now)
    const isFirst = chunk.chunkNo === 0 && chunk.claims === 0
    const { chunkNo } = chunk
    if (chunk.deviceIds.length === 0) return { chunkNo, deviceCount, isFirst, failures: [], desired }
    locked.chunk = chunk
    const rest = await workOnTargets(tx, chunk, work)
    await finishLockedChunk(tx, chunk, rest, now)
    return { ...rest, chunkNo, deviceCount, isFirst, desired: [...desired, ...rest.desired] }
  }
  const options = { settings: { lock_timeout: lockMs, ...alongIndexes } }
  try {
    return await (job.isLimited ? claimPermitted(db, job, carryOut, now, options) : briefly(db, carryOut, options))
  } catch (cause) {
    if (isWorthRepeating(cause)) throw cause
    if (locked.chunk === null) {
      if (begin === undefined) throw cause
      // A statement that begins does not tell on which chunk it failed.
      return executeNext(db, job, { work }, now)
    }
    await putOff(db, locked.chunk, now)
    throw new ChunkError('the transaction of a chunk failed', { cause })
  }
}

/** The statement that begins asks for no condition. */
function isContinuous({ continuousCondition }: RunningJob): boolean {
  return continuousCondition !== null
}

/** Leaves out devices that a continuous job is not for any more. */
async function workOnTargets(tx: Db, chunk: LockedChunk, work: ChunkWork['work']): Promise<Execution> {
  const leavers = await findLeavers(tx, chunk.job, chunk.deviceIds)
  if (leavers.size === 0) return work(tx, chunk)
  const deviceIds = chunk.deviceIds.filter((deviceId) => !leavers.has(deviceId))
  const execution = deviceIds.length === 0 ? nothing : await work(tx, { ...chunk, deviceIds })
  return { ...execution, skipped: [...leavers, ...(execution.skipped ?? [])] }
}

const nothing: Execution = { failures: [], desired: [] }

/** Begins with nothing done. */
export async function lockNextChunk(tx: Db, job: RunningJob, now: Date): Promise<BegunChunk | null> {
  const [chunk] = await prepared<{ chunk_no: number; untried_ids: string[]; untried: number; claims: number }>(
    tx,
    'lockChunk',
    nextReady(job, sql`chunk_no, ${untriedIds} as untried_ids, device_count - attempted as untried, claims`, now),
  )
  if (chunk === undefined) return null
  const isWhole = chunk.untried_ids.length === chunk.untried
  const deviceIds = isWhole ? chunk.untried_ids.map(storedDeviceId) : await readUntried(tx, job, chunk.chunk_no)
  return {
    chunk: { job, chunkNo: chunk.chunk_no, deviceIds, claims: chunk.claims },
    deviceCount: deviceIds.length,
    desired: [],
  }
}

/** Another worker may have finished it meanwhile. */
async function putOff(db: Db, { job, chunkNo }: LockedChunk, now: Date): Promise<void> {
  await rows(
    db,
    sql`
    update chunks
       set claims = claims + 1, not_before = ${nextTry(sql`(claims + 1)`, now)}
     where week = ${job.week} and job_key = ${job.key} and chunk_no = ${chunkNo}
       and status = 'ready'
    returning chunk_no`,
  )
}

/** A device that succeeded needs no row. */
async function finishLockedChunk(
  tx: Db,
  { job, chunkNo }: LockedChunk,
  { failures, skipped = [] }: Execution,
  now: Date,
): Promise<void> {
  const told = [
    ...failures.map(({ deviceId, error }) => ({
      device_id: deviceId,
      status: 'failed',
      code: error.code,
      text: error.description,
    })),
    ...skipped.map((deviceId) => ({ device_id: deviceId, status: 'skipped' })),
  ]
  if (told.length > 0) {
    await rows(
      tx,
      sql`
      insert into device_jobs (week, job_key, chunk_no, device_id, status, attempt, updated_at, error_code, error_text)
      select ${job.week}::date, ${job.key}::bigint, ${chunkNo}::int, device_id, status, 1, ${at(now)}, code, text
        from json_to_recordset(${JSON.stringify(told)}::json) as told (device_id text, status text, code text, text text)
      returning device_id`,
    )
  }
  await prepared(
    tx,
    'finishLockedChunk',
    sql`
    update chunks
       set ${ended({ failed: sql`${failures.length}::int`, skipped: sql`${skipped.length}::int` }, now)}
     where week = ${job.week} and job_key = ${job.key} and chunk_no = ${chunkNo}
       and status = 'ready'
    returning chunk_no`,
  )
}

/** The assignments that end a chunk of which so many devices failed or were skipped. Those that somebody ended before stay ended. */
export function ended({ failed, skipped }: { readonly failed: SQL; readonly skipped: SQL }, now: Date): SQL {
  return sql`
             status = 'attempted',
             attempted = device_count,
             succeeded = device_count - canceled - ${failed} - ${skipped},
             failed = ${failed},
             canceled = canceled + ${skipped},
             skipped = skipped + ${skipped},
             rest = 'completed',
             rest_at = ${at(now)}`
}
