import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { ensurePartitions } from '../../src/jobs/start/partitions.ts'
import { readIntegrityFigures } from '../../src/metrics/integrity.ts'
import { readJobFigures } from '../../src/metrics/job-figures.ts'
import { readWorkFigures } from '../../src/metrics/work-figures.ts'
import { connect } from '../../src/postgres/connect.ts'
import { type Db, rows } from '../../src/postgres/sql.ts'
import { noon, on, openStore } from '../jobs/engine.ts'

it('the figures of a hub with many jobs read no table from its start to its end', async () => {
  await using store = await openStore()
  await givenManyJobs(store.db, { jobs: 200, chunks: 20, devices: 5 })
  // Of one connection, so that it can report what it has read before it is asked.
  const { db, close } = connect({ url: store.url, poolSize: 1 })
  const before = await scans(db)

  await readWorkFigures(db, on('12:05:00'))
  await readJobFigures(db, noon)
  await readIntegrityFigures(db, noon, 0.3)
  const after = await scans(db)
  expect(after).toEqual(before)
  await close()
})

/** How often each large table of jobs was read as a whole. One with the stages of 200 jobs is not large. */
async function scans(db: Db): Promise<Record<string, number>> {
  await rows(db, sql`select pg_stat_force_next_flush()`)
  const found = await rows<{ name: string; count: number }>(
    db,
    sql`
    select relname as name, seq_scan::int as count
      from pg_stat_user_tables
     where relname ~ '^(jobs|chunks|device_jobs)'`,
  )
  return Object.fromEntries(found.map(({ name, count }) => [name, count]))
}

/** Running jobs, whose chunks have been attempted in part: an eighth of them is under way, and every device of an eighth waits. */
async function givenManyJobs(
  db: Db,
  { jobs, chunks, devices }: Readonly<Record<'jobs' | 'chunks' | 'devices', number>>,
) {
  await ensurePartitions(db, noon)
  await rows(
    db,
    sql`
    with job as (
      insert into jobs (job_id, type, status, query_condition, body, max_execution_seconds, created_at, start_at,
                        deadline_at, week, frozen_at, last_generation_no)
      select 'job-' || no, 'scheduleDeviceMethod', 'running', '*', '{}', 3600, ${noon.toISOString()},
             ${noon.toISOString()}, ${on('13:00:00').toISOString()}, '2026-03-02', ${noon.toISOString()}, 1
        from generate_series(1, ${jobs}::int) as no
      returning job_key),
    stage as (
      insert into stages (job_key, stage_no, device_count, opened_at)
      select job_key, 0, ${chunks * devices}::int, ${noon.toISOString()} from job),
    chunk as (
      insert into chunks (week, job_key, chunk_no, device_ids, device_count, status, leased_by, running, attempted)
      select '2026-03-02', job_key, no,
             array(select 'device-' || job_key || '-' || no || '-' || each from generate_series(1, ${devices}::int) as each),
             ${devices}::int,
             case no % 8 when 0 then 'leased' when 1 then 'attempted' else 'ready' end,
             case no % 8 when 0 then 'worker-1' end,
             case no % 8 when 0 then ${devices}::int else 0 end,
             case no % 8 when 1 then ${devices}::int else 0 end
        from job, generate_series(1, ${chunks}::int) as no
      returning week, job_key, chunk_no, device_ids, status)
    insert into device_jobs (week, job_key, chunk_no, device_id, status, attempt, due_at, updated_at)
    select week, job_key, chunk_no, id, 'pending', 1, 'infinity', ${noon.toISOString()}
      from chunk, unnest(device_ids) as id
     where status = 'attempted'`,
  )
  await rows(
    db,
    sql`
    insert into jobs (job_id, type, status, query_condition, body, max_execution_seconds, created_at, start_at,
                      deadline_at, ended_at)
    select 'ended-' || no, 'scheduleDeviceMethod', 'completed', '*', '{}', 3600, ${noon.toISOString()},
           ${noon.toISOString()}, ${on('13:00:00').toISOString()}, ${noon.toISOString()}
      from generate_series(1, 100 * ${jobs}::int) as no`,
  )
  await rows(db, sql`analyze`)
}
