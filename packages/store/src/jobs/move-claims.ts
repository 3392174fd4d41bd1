import { sql } from 'drizzle-orm'
import { type Db, rows } from '../postgres/sql.ts'
import type { ClaimedChunk } from './chunks.ts'
import type { ClaimedDeviceJobs } from './device-jobs.ts'

/**
 * Puts claims under another lease of the same process. What it does not name ends with the old lease: claims of which the process does
 * not know. What others have claimed since has another fence or attempt, and stays with them.
 */
export async function moveClaims(
  db: Db,
  workerId: string,
  claims: { readonly chunks: readonly ClaimedChunk[]; readonly deviceJobs: readonly ClaimedDeviceJobs[] },
): Promise<void> {
  const chunks = claims.chunks.map(({ job, chunkNo, fence }) => ({
    week: job.week,
    job_key: job.key,
    chunk_no: chunkNo,
    fence,
  }))
  const deviceJobs = claims.deviceJobs.flatMap(({ job, attempts }) =>
    attempts.map(({ deviceId, attempt }) => ({ week: job.week, job_key: job.key, device_id: deviceId, attempt })),
  )
  if (chunks.length > 0) await moveChunks(db, workerId, chunks)
  if (deviceJobs.length > 0) await moveDeviceJobs(db, workerId, deviceJobs)
}

async function moveChunks(db: Db, workerId: string, claimed: readonly object[]): Promise<void> {
  await rows(
    db,
    sql`
    with held as (
      select c.week, c.job_key, c.chunk_no
        from chunks c
        join json_to_recordset(${JSON.stringify(claimed)}::json)
             as claimed (week date, job_key bigint, chunk_no int, fence int) using (week, job_key, chunk_no)
       where c.status = 'leased' and c.fence = claimed.fence
       order by c.job_key, c.chunk_no
         for update of c)
    update chunks c set leased_by = ${workerId}
      from held
     where c.week = held.week and c.job_key = held.job_key and c.chunk_no = held.chunk_no
       and c.status = 'leased'
    returning c.chunk_no`,
  )
}

async function moveDeviceJobs(db: Db, workerId: string, claimed: readonly object[]): Promise<void> {
  await rows(
    db,
    sql`
    with held as (
      select r.week, r.job_key, r.device_id
        from device_jobs r
        join json_to_recordset(${JSON.stringify(claimed)}::json)
             as claimed (week date, job_key bigint, device_id text, attempt int) using (week, job_key, device_id)
       where r.status = 'running' and r.attempt = claimed.attempt
       order by r.week, r.job_key, r.device_id
         for update of r)
    update device_jobs r set leased_by = ${workerId}
      from held
     where r.week = held.week and r.job_key = held.job_key and r.device_id = held.device_id
       and r.status = 'running'
    returning r.device_id`,
  )
}
