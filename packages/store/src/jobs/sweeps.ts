import { type JobKey, jobKey } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { at, type Db, instant, rows, texts } from '../postgres/sql.ts'
import { nowDue } from './device-jobs.ts'
import { closeChunks } from './jobs.ts'

/** Every sweep is idempotent, bounded by `limit`, and safe beside any number of others. */
interface Bound {
  readonly limit: number
}

/** Extends the leases of claims that are under way. */
export async function renewLeases(
  db: Db,
  { leaseIds, leaseMs }: { leaseIds: readonly string[]; leaseMs: number },
  now: Date,
): Promise<void> {
  await setLeases(db, leaseIds, sql`greatest(lease_until, ${at(new Date(now.getTime() + leaseMs))})`)
}

/** Gives up what these claims still hold: the next sweep hands it to others. */
export async function dropLeases(db: Db, leaseIds: readonly string[], now: Date): Promise<void> {
  await setLeases(db, leaseIds, at(now))
}

/** What is locked is being recorded just now and is left alone: several renewals fit into a lease. */
async function setLeases(db: Db, leaseIds: readonly string[], until: SQL): Promise<void> {
  await rows(
    db,
    sql`
    with held as (
      select week, job_key, chunk_no
        from chunks
       where status = 'leased' and leased_by = any(${texts(leaseIds)})
         for update skip locked)
    update chunks c
       set lease_until = ${until}
      from held
     where c.week = held.week and c.job_key = held.job_key and c.chunk_no = held.chunk_no and c.status = 'leased'`,
  )
  await rows(
    db,
    sql`
    with held as (
      select week, job_key, device_id
        from device_jobs
       where status = 'running' and leased_by = any(${texts(leaseIds)})
         for update skip locked)
    update device_jobs r
       set lease_until = ${until}
      from held
     where r.week = held.week and r.job_key = held.job_key and r.device_id = held.device_id and r.status = 'running'`,
  )
}

/** Chunks whose worker is gone: what was in flight is to be attempted again, or has ended with the rest. */
export async function releaseExpiredChunks(db: Db, { limit }: Bound, now: Date): Promise<number> {
  const released = await rows(
    db,
    sql`
    with expired as (
      select week, job_key, chunk_no
        from chunks
       where status = 'leased' and lease_until <= ${at(now)}
       order by lease_until
       limit ${limit}
         for update skip locked)
    update chunks c
       set status = case when rest is null then 'ready' else 'attempted' end,
           leased_by = null,
           lease_until = null,
           running = running - (device_count - attempted),
           failed = failed + case rest when 'expired' then device_count - attempted else 0 end,
           canceled = canceled + case rest when 'canceled' then device_count - attempted else 0 end
      from expired
     where c.week = expired.week and c.job_key = expired.job_key and c.chunk_no = expired.chunk_no
    returning c.chunk_no`,
  )
  return released.length
}

/** Device jobs whose worker is gone are due again. */
export async function releaseExpiredDeviceJobs(db: Db, { limit }: Bound, now: Date): Promise<number> {
  const [released] = await rows<{ count: number }>(
    db,
    sql`
    with expired as (
      select week, job_key, device_id
        from device_jobs
       where status = 'running' and lease_until <= ${at(now)}
       order by lease_until
       limit ${limit}
         for update skip locked),
    released as (
      update device_jobs r
         set status = 'pending', due_at = ${at(now)}, leased_by = null, lease_until = null, updated_at = ${at(now)}
        from expired
       where r.week = expired.week and r.job_key = expired.job_key and r.device_id = expired.device_id
      returning r.week, r.job_key, r.chunk_no),
    counted as (select week, job_key, chunk_no, count(*)::int as n from released group by week, job_key, chunk_no),
    locked as (
      select c.week, c.job_key, c.chunk_no, n
        from chunks c
        join counted using (week, job_key, chunk_no)
       order by c.job_key, c.chunk_no
         for update of c),
    moved as (
      update chunks c
         set running = running - n,
             failed = failed + case rest when 'expired' then n else 0 end,
             canceled = canceled + case rest when 'canceled' then n else 0 end
        from locked
       where c.week = locked.week and c.job_key = locked.job_key and c.chunk_no = locked.chunk_no)
    select count(*)::int as count from released`,
  )
  return released?.count ?? 0
}

/** Running jobs with a chunk that is ready or a device job that is due: a wake-up for them may have been lost. */
export async function findForgottenWork(
  db: Db,
  { limit }: Bound,
  now: Date,
): Promise<{ key: JobKey; kind: 'chunks' | 'due' }[]> {
  const found = await rows<{ job_key: string; has_chunks: boolean; has_due: boolean }>(
    db,
    sql`
    select job_key::text, has_chunks, has_due
      from (select job_key,
                   exists (select from chunks c
                            where c.week = j.week and c.job_key = j.job_key and c.status = 'ready') as has_chunks,
                   exists (select from device_jobs r
                            where r.week = j.week and r.job_key = j.job_key
                              and r.status = 'pending' and r.due_at <= ${at(now)}) as has_due
              from jobs j
             where j.status = 'running' and j.deadline_at > ${at(now)}
             order by j.deadline_at, j.job_key) as running
     where has_chunks or has_due
     limit ${limit}`,
  )
  return found.flatMap((row) => {
    const key = jobKey(row.job_key)
    return [
      ...(row.has_chunks ? [{ key, kind: 'chunks' as const }] : []),
      ...(row.has_due ? [{ key, kind: 'due' as const }] : []),
    ]
  })
}

/** Waiting device jobs whose device is reachable: the gateway's word of it was lost. Returns how many became due. */
export async function markForgottenReachable(db: Db, { limit }: Bound, now: Date): Promise<number> {
  const due = await rows(
    db,
    sql`
    with waiting as (
      select w.week, w.job_key, w.device_id
        from jobs j
        join device_jobs w on w.week = j.week and w.job_key = j.job_key
        join sessions s on s.device_id = w.device_id
        join devices d on d.device_id = w.device_id
       where j.status = 'running' and j.deadline_at > ${at(now)}
         and w.status = 'pending' and w.due_at = 'infinity'
         and s.gateway_id is not null and s.accepts_methods and d.status = 'enabled'
       limit ${limit}
         for update of w skip locked),
    ${nowDue(now)}
    select device_id from reached`,
  )
  return due.length
}

/** Running jobs whose window is over: nothing new starts, what waits has failed. Returns how many jobs it closed. */
export async function expireOverdueJobs(db: Db, { limit }: Bound, now: Date): Promise<number> {
  return db.transaction(async (tx) => {
    const overdue = await rows<{ job_key: string; week: string }>(
      tx,
      sql`
      select job_key::text, week::text
        from jobs
       where status = 'running' and deadline_at <= ${at(now)}
         and exists (select from chunks c
                      where c.week = jobs.week and c.job_key = jobs.job_key
                        and c.rest is null and c.succeeded + c.failed + c.canceled < c.device_count)
       order by deadline_at
       limit ${limit}
         for update skip locked`,
    )
    // A job at a time: its chunks are one statement, and few jobs end in the same second.
    for (const { job_key, week } of overdue) await closeChunks(tx, jobKey(job_key), week, 'expired', now)
    return overdue.length
  })
}

/** Running jobs without an open chunk. */
export async function findDrainedJobs(db: Db, { limit }: Bound): Promise<JobKey[]> {
  const found = await rows<{ job_key: string }>(
    db,
    sql`
    select job_key::text
      from jobs
     where status = 'running'
       and not exists (select from chunks c
                        where c.week = jobs.week and c.job_key = jobs.job_key
                          and c.succeeded + c.failed + c.canceled < c.device_count)
     limit ${limit}`,
  )
  return found.map((row) => jobKey(row.job_key))
}

/** Queued jobs that start later and whose wake-up is not known to be on the bus. */
export async function findUnscheduledJobs(
  db: Db,
  { limit }: Bound,
  now: Date,
): Promise<{ key: JobKey; startAt: Date }[]> {
  const found = await rows<{ job_key: string; start_at: string }>(
    db,
    sql`
    select job_key::text, start_at::text
      from jobs
     where status = 'queued' and start_at > ${at(now)}
     order by jobs.start_at
     limit ${limit}`,
  )
  return found.map((row) => ({ key: jobKey(row.job_key), startAt: instant(row.start_at) }))
}
