import { sql } from 'drizzle-orm'
import { type Db, rows } from './sql.ts'

const dayMs = 24 * 3600 * 1000

/** The Monday (UTC) of the week of a time, as `YYYY-MM-DD`: which partition a target set frozen then goes to. */
export function weekOf(time: Date): string {
  const sinceMonday = (time.getUTCDay() + 6) % 7
  return new Date(time.getTime() - sinceMonday * dayMs).toISOString().slice(0, 10)
}

/** Any number that no other advisory lock of the database uses: `if not exists` alone fails in the second of two at once. */
const partitionLock = 7_301_966

/**
 * Makes the partitions of chunks and device jobs for the week of `now` and the next one. Idempotent. Weeks, not days: a
 * device job may wait 30 days and be kept for 30 more, and every partition costs each lookup by device a probe.
 */
export async function ensurePartitions(db: Db, now: Date): Promise<void> {
  for (const week of [weekOf(now), weekOf(new Date(now.getTime() + 7 * dayMs))]) {
    for (const table of ['chunks', 'device_jobs']) {
      const [found] = await rows<{ is_missing: boolean }>(
        db,
        sql`select to_regclass(${partitionName(table, week)}) is null as is_missing`,
      )
      if (found?.is_missing) await createPartition(db, table, week)
    }
  }
}

/**
 * Purges history: deletes job rows that ended before `endedBefore`, then drops the partitions of weeks that no job needs any
 * more. Returns how many jobs were deleted; at most `limit` at a time.
 */
export async function purgeHistory(
  db: Db,
  { endedBefore, limit }: { endedBefore: Date; limit: number },
): Promise<number> {
  const deleted = await rows(
    db,
    sql`
    delete from jobs
     where job_key in (
       select job_key from jobs
        where ended_at < ${endedBefore.toISOString()}::timestamptz
        order by ended_at
        limit ${limit}
        for update skip locked)
    returning job_key`,
  )
  for (const week of await unusedWeeks(db, endedBefore)) {
    for (const table of ['chunks', 'device_jobs']) {
      await db.execute(sql.raw(`drop table if exists ${partitionName(table, week)}`))
    }
  }
  return deleted.length
}

/** A transaction each, so that the lock of one table is never held while another is waited for. */
async function createPartition(db: Db, table: string, week: string): Promise<void> {
  const next = weekOf(new Date(Date.parse(week) + 7 * dayMs))
  await db.transaction(async (tx) => {
    await rows(tx, sql`select pg_advisory_xact_lock(${partitionLock})`)
    // Names and bounds are made of dates of ours; DDL takes no parameters.
    await tx.execute(
      sql.raw(
        `create table if not exists ${partitionName(table, week)} partition of ${table} for values from ('${week}') to ('${next}')`,
      ),
    )
  })
}

/** Weeks that lie wholly before the limit and have no job left. */
async function unusedWeeks(db: Db, endedBefore: Date): Promise<string[]> {
  const found = await rows<{ week: string }>(
    db,
    sql`
    select partition.week
      from (select to_char(to_date(right(child.relname, 8), 'YYYYMMDD'), 'YYYY-MM-DD') as week
              from pg_inherits
              join pg_class child on child.oid = inhrelid
             where inhparent = 'chunks'::regclass) as partition
     where partition.week < ${weekOf(endedBefore)}
       and not exists (select from jobs where jobs.week = partition.week::date)`,
  )
  return found.map(({ week }) => week)
}

function partitionName(table: string, week: string): string {
  return `${table}_${week.replaceAll('-', '')}`
}
