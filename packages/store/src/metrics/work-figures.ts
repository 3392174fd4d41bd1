import { sql } from 'drizzle-orm'
import { readyWork } from '../jobs/sweeps/work.ts'
import { at, type Db, rows } from '../postgres/sql.ts'
import { boundedRead } from './bounded-read.ts'

/** So many chunks, and so many rows of device jobs, are looked at for each count. A chunk has up to 1,000 devices. */
const chunksMax = 2_000
const rowsMax = 10_000

/** Devices of running jobs. */
export interface WorkFigures {
  /** First attempts that may start now. */
  readonly ready: number
  /** Later attempts that may start now. */
  readonly due: number
  /** Attempts that workers have under way. */
  readonly leased: number
  /** They wait for their connection, or for the time of their next attempt. */
  readonly waiting: number
  /** Since when the oldest work of jobs without limits of their own could have been done; 0 if there is none. */
  readonly oldestReadySeconds: number
}

/**
 * What there is to do. Each count stops after 2,000 chunks or 10,000 rows of device jobs, so behind a very large job it says "at least". Work of
 * paused jobs, of later stages and of jobs that wait for their rate is not ready. The age leaves out jobs with a rate or a limit of
 * devices in flight: their work waits because somebody wants it. It begins when the stage was opened, or the device job became due.
 *
 * Leaps along the indexes of ready and due work, as the sweep does that looks for forgotten work. What it costs grows with the jobs that
 * have work, and stops at the bounds above.
 */
export async function readWorkFigures(db: Db, now: Date): Promise<WorkFigures> {
  const [found] = await boundedRead(db, (tx) =>
    rows<{ ready: number; due: number; leased: number; waiting: number; oldest: number }>(
      tx,
      sql`
      with recursive ${readyWork(now)},
      ready_job as materialized (
        select j.job_key, j.week, j.open_stage, j.rate is not null or j.max_in_flight is not null as is_limited
          from chunk_work w join jobs j on j.job_key = w.job_key
         where w.deadline_at > ${at(now)}),
      due_job as materialized (
        select j.job_key, j.week, j.open_stage, j.rate is not null or j.max_in_flight is not null as is_limited
          from due_work w join jobs j on j.job_key = w.job_key
         where w.deadline_at > ${at(now)}),
      ready as (
        select devices
          from ready_job j, lateral (
            select device_count - attempted as devices
              from chunks c
             where c.week = j.week and c.job_key = j.job_key and c.status = 'ready' and c.stage_no <= j.open_stage
             limit ${chunksMax}) as chunk
         limit ${chunksMax}),
      due as (
        select
          from due_job j, lateral (
            select from device_jobs r
             where r.week = j.week and r.job_key = j.job_key and r.status = 'pending'
               and r.due_at <= ${at(now)} and r.due_at < 'infinity'
             limit ${rowsMax}) as row
         limit ${rowsMax}),
      leased_chunk as (
        select device_count - attempted as devices from chunks where status = 'leased' limit ${chunksMax}),
      leased_device as (
        select from device_jobs where status = 'running' limit ${rowsMax}),
      again as (
        select devices
          from (select job_key, week from jobs where status = 'running' order by job_key limit ${chunksMax}) as j, lateral (
            select device_count - succeeded - failed - canceled - running
                   - case when status in ('held', 'ready') then device_count - attempted else 0 end as devices
              from chunks c
             where c.week = j.week and c.job_key = j.job_key and c.is_open
             limit ${chunksMax}) as chunk
         limit ${chunksMax}),
      oldest as (
        select s.opened_at as since
          from ready_job j, lateral (
            select stage_no from chunks c
             where c.week = j.week and c.job_key = j.job_key and c.status = 'ready'
             order by stage_no, chunk_no
             limit 1) as chunk
          join stages s on s.stage_no = chunk.stage_no
         where s.job_key = j.job_key and not j.is_limited
        union all
        select row.due_at
          from due_job j, lateral (
            select r.due_at from device_jobs r
             where r.week = j.week and r.job_key = j.job_key and r.status = 'pending' and r.due_at < 'infinity'
             order by r.due_at
             limit 1) as row
         where not j.is_limited)
      select (select coalesce(sum(devices), 0) from ready)::int as ready,
             (select count(*) from due)::int as due,
             (select coalesce(sum(devices), 0) from leased_chunk)::int + (select count(*) from leased_device)::int as leased,
             greatest(0, (select coalesce(sum(devices), 0) from again) - (select count(*) from due))::int as waiting,
             greatest(0, coalesce(extract(epoch from ${at(now)} - (select min(since) from oldest)), 0))::float8 as oldest`,
    ),
  )
  const { ready = 0, due = 0, leased = 0, waiting = 0, oldest = 0 } = found ?? {}
  return { ready, due, leased, waiting, oldestReadySeconds: oldest }
}
