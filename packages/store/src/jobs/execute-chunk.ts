import { type DeviceError, type DeviceId, storedDeviceId } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { briefly } from '../postgres/briefly.ts'
import { isWorthRepeating } from '../postgres/database-error.ts'
import { prepared } from '../postgres/prepared.ts'
import { at, type Db, rows, texts } from '../postgres/sql.ts'
import { nextReady, type RunningJob } from './chunks.ts'
import { nextTry } from './next-try.ts'

/** A chunk whose work is done inside the transaction that holds its lock: no lease, no fence, exactly once. */
export interface LockedChunk {
  readonly job: RunningJob
  readonly chunkNo: number
  readonly deviceIds: readonly DeviceId[]
  /** How many transactions of it have failed. */
  readonly claims: number
}

type ChunkFailures = readonly { readonly deviceId: string; readonly error: DeviceError }[]

/** The transaction of a chunk failed for a reason that may come again. The next ones leave the chunk alone for a while. */
export class ChunkError extends Error {
  override readonly name = 'ChunkError'
}

/** How long the work on a locked chunk waits for a lock. A cancel waits behind it. */
const lockMs = 1_000

/**
 * Locks the next ready chunk of a job, has the work done, and ends the chunk, in one transaction. Null when no chunk is ready, or the
 * job may not start attempts. Every device succeeded but those in `failures`.
 * @throws ChunkError when the work fails, and the chunk is put off; any other error when Postgres was lost or busy
 */
export async function executeChunk<Execution extends { readonly failures: ChunkFailures }>(
  db: Db,
  job: RunningJob,
  work: (tx: Db, chunk: LockedChunk) => Promise<Execution>,
  now: Date,
): Promise<(Execution & { readonly deviceCount: number }) | null> {
  const locked: { chunk: LockedChunk | null } = { chunk: null }
  try {
    return await briefly(
      db,
      async (tx) => {
        const chunk = await lockChunk(tx, job, now)
        locked.chunk = chunk
        if (chunk === null) return null
        const execution = await work(tx, chunk)
        await finishLockedChunk(tx, chunk, execution.failures, now)
        return { ...execution, deviceCount: chunk.deviceIds.length }
      },
      { lockMs },
    )
  } catch (cause) {
    if (locked.chunk === null || isWorthRepeating(cause)) throw cause
    await putOff(db, locked.chunk, now)
    throw new ChunkError('the transaction of a chunk failed', { cause })
  }
}

async function lockChunk(tx: Db, job: RunningJob, now: Date): Promise<LockedChunk | null> {
  const [chunk] = await prepared<{ chunk_no: number; device_ids: string[]; claims: number }>(
    tx,
    'lockChunk',
    nextReady(job, sql`chunk_no, device_ids, claims`, now),
  )
  if (chunk === undefined) return null
  return { job, chunkNo: chunk.chunk_no, deviceIds: chunk.device_ids.map(storedDeviceId), claims: chunk.claims }
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
async function finishLockedChunk(tx: Db, chunk: LockedChunk, failures: ChunkFailures, now: Date): Promise<void> {
  const { job, chunkNo } = chunk
  if (failures.length > 0) {
    await rows(
      tx,
      sql`
      insert into device_jobs (week, job_key, chunk_no, device_id, status, attempt, updated_at, error_code, error_text)
      select ${job.week}::date, ${job.key}::bigint, ${chunkNo}::int, device_id, 'failed', 1, ${at(now)}, code, text
        from unnest(${texts(failures.map((failure) => failure.deviceId))},
                    ${texts(failures.map((failure) => failure.error.code))},
                    ${texts(failures.map((failure) => failure.error.description))}) as failure (device_id, code, text)
      returning device_id`,
    )
  }
  await prepared(
    tx,
    'finishLockedChunk',
    sql`
    update chunks
       set status = 'attempted',
           attempted = device_count,
           succeeded = device_count - ${failures.length}::int,
           failed = ${failures.length}::int,
           rest = 'completed',
           rest_at = ${at(now)}
     where week = ${job.week} and job_key = ${job.key} and chunk_no = ${chunkNo}
       and status = 'ready'
    returning chunk_no`,
  )
}
