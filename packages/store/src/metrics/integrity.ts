import { sql } from 'drizzle-orm'
import { at, type Db, rows } from '../postgres/sql.ts'
import { boundedRead } from './bounded-read.ts'

/** A call that was under way when its job ended takes ten minutes at most: its timeout, and the time for its connection. */
const callMinutesMax = 15
/** Two leases of a worker. */
const goneSeconds = 30
const endedJobsMax = 500
const workersMax = 1_000
/** Open chunks that are looked at for some that have been attempted, and so many of these. */
const chunksMax = { looked: 1_000, counted: 20 } as const

/** What must never be, and what a sweep should long have repaired. */
export interface IntegrityFigures {
  /** Jobs that ended more than 15 minutes ago and have an open chunk. */
  readonly endedJobsWithOpenChunks: number
  /** Workers whose lease ended more than 30 s ago and to which work still belongs. */
  readonly goneWorkersWithWork: number
  /** Chunks whose counters are not the numbers of their rows. */
  readonly wrongCounters: number
}

/**
 * Looks for faults of the hub itself, cheaply: at up to 500 ended jobs whose statistics are not kept yet, at the workers whose lease is
 * over, and at the counters of 20 open chunks, from a place on that `random` in [0, 1) chooses. So a wrong counter is found after
 * a while. All of it runs along partial indexes and looks up 2,000 rows at most.
 */
export async function readIntegrityFigures(db: Db, now: Date, random: number): Promise<IntegrityFigures> {
  const [found] = await boundedRead(db, (tx) =>
    rows<{ ended: number; gone: number; wrong: number }>(
      tx,
      sql`
      with unkept as (
        select week, job_key, ended_at
          from jobs
         where ended_at is not null and frozen_at is not null and final_counts is null
         order by job_key
         limit ${endedJobsMax}),
      gone as (
        select worker_id from workers
         where lease_until <= ${at(now)} - make_interval(secs => ${goneSeconds})
         limit ${workersMax}),
      place as (
        select low + floor(${random}::float8 * (high - low + 1))::bigint as job_key
          from (select (select min(job_key) from jobs where status = 'running') as low,
                       (select max(job_key) from jobs where status = 'running') as high) as keys),
      looked as (
        select chunk.*
          from (select job_key, week from jobs
                 where status = 'running' and job_key >= (select job_key from place)
                 order by job_key
                 limit ${chunksMax.looked}) as j, lateral (
            select c.week, c.job_key, c.device_ids, c.device_count, c.status, c.attempted, c.succeeded, c.failed,
                   c.running, c.canceled, c.skipped
              from chunks c
             where c.week = j.week and c.job_key = j.job_key and c.is_open and c.rest is null
             limit ${chunksMax.looked}) as chunk
         limit ${chunksMax.looked}),
      counted as (
        select c.*, own.*
          from (select * from looked where attempted > 0 limit ${chunksMax.counted}) as c, lateral (
            select count(*) filter (where r.status = 'running') as running_rows,
                   count(*) filter (where r.status = 'completed') as completed_rows,
                   count(*) filter (where r.status = 'failed') as failed_rows,
                   count(*) filter (where r.status in ('canceled', 'skipped')) as canceled_rows,
                   count(*) filter (where r.status = 'skipped') as skipped_rows
              from device_jobs r
             where r.week = c.week and r.job_key = c.job_key and r.device_id = any(c.device_ids)) as own)
      select (select count(*) from unkept
               where ended_at <= ${at(now)} - make_interval(mins => ${callMinutesMax})
                 and (select true from chunks c
                       where c.week = unkept.week and c.job_key = unkept.job_key and c.is_open limit 1))::int as ended,
             (select count(*) from gone
               where (select true from chunks where status = 'leased' and leased_by = worker_id limit 1)
                  or (select true from device_jobs where status = 'running' and leased_by = worker_id limit 1))::int as gone,
             (select count(*) from counted
               where running <> running_rows + case status when 'leased' then device_count - attempted else 0 end
                  or succeeded <> completed_rows
                  or failed <> failed_rows
                  or canceled <> canceled_rows
                  or skipped <> skipped_rows)::int as wrong`,
    ),
  )
  const { ended = 0, gone = 0, wrong = 0 } = found ?? {}
  return { endedJobsWithOpenChunks: ended, goneWorkersWithWork: gone, wrongCounters: wrong }
}
