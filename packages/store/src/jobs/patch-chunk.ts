import { type IdentityKey, storedDeviceId, type TwinPatch } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { type Db, rows } from '../postgres/sql.ts'
import { patched } from '../twins/sets.ts'
import { nextReady, type RunningJob, readUntried, untriedIds } from './chunks.ts'
import { type BegunChunk, ended, lockNextChunk } from './execute-chunk.ts'
import { mostTries } from './next-try.ts'

/**
 * Merges a patch into the twins of the next ready chunk of a job, and ends the chunk, in one statement: the ids of its devices stay in
 * Postgres. If some twins were not patched, the chunk stays locked and open for them. Only connected devices come back, because nobody
 * else is told. One that connects before the commit is told when its gateway next compares its connections with the store.
 */
export async function patchNextChunk(tx: Db, job: RunningJob, patch: TwinPatch, now: Date): Promise<BegunChunk | null> {
  const { desired } = patch
  // To clear the properties of connected devices takes their former content.
  if (desired === null) return lockNextChunk(tx, job, now)
  const ids = {
    deviceIds: sql`(select ids from next where tries < ${mostTries} and cardinality(ids) = count)::text[]`,
    firstId: sql`(select ids[1] from next)`,
  }
  const [begun] = await rows<BegunRow>(
    tx,
    sql`
    with next as materialized (
      ${nextReady(job, sql`chunk_no as no, ${untriedIds} as ids, device_count - attempted as count, claims as tries`, now)}),
    ${patched(ids, patch, now, job.lastGenerationNo)},
    counted as (select count(*)::int as n from patched),
    finished as (
      update chunks
         set ${ended({ failed: sql`0`, skipped: sql`0` }, now)}
       where week = ${job.week} and job_key = ${job.key} and chunk_no = (select no from next)
         and status = 'ready' and device_count - attempted = (select n from counted))
    select no, count, tries, cardinality(ids) = count as is_whole,
           case when n < count then array(
             select id from unnest(ids) as id
              where not exists (select from patched where device_id = id)
              order by id collate "C") end as open,
           (select json_agg(json_build_array(device_id, desired_version))
              from patched
              join sessions s using (device_id)
             where ${desired !== undefined} and s.gateway_id is not null) as connected
      from next, counted`,
  )
  if (begun === undefined) return null
  const versions = (begun.connected ?? []).map(([identity, version]) => ({ identity, version }))
  const deviceIds = begun.is_whole ? (begun.open ?? []).map(storedDeviceId) : await readUntried(tx, job, begun.no)
  return {
    chunk: { job, chunkNo: begun.no, deviceIds, claims: begun.tries },
    deviceCount: begun.count,
    desired: desired === undefined || versions.length === 0 ? [] : [{ patch: desired, versions }],
  }
}

interface BegunRow extends Record<string, unknown> {
  readonly no: number
  readonly count: number
  readonly tries: number
  /** Else nothing was patched: see `untriedIds`. */
  readonly is_whole: boolean
  /** The devices that were not patched. Null: there are none. */
  readonly open: readonly string[] | null
  readonly connected: readonly (readonly [IdentityKey, number])[] | null
}
