import { sql } from 'drizzle-orm'
import { briefly } from '../../postgres/briefly.ts'
import { type Db, rows } from '../../postgres/sql.ts'

const dayMs = 24 * 3600 * 1000

/** The Monday (UTC) of the week of a time, as `YYYY-MM-DD`. It names the partition for a target set that is frozen at that time. */
export function weekOf(time: Date): string {
  const sinceMonday = (time.getUTCDay() + 6) % 7
  return new Date(time.getTime() - sinceMonday * dayMs).toISOString().slice(0, 10)
}

/**
 * Makes the partitions of chunks and device jobs for the week of a time, unless they exist. Weeks, not days: a device job may wait 30
 * days and be kept for 30 more, and each lookup by device must search every partition.
 */
export async function ensurePartitions(db: Db, time: Date): Promise<void> {
  const week = weekOf(time)
  const next = weekOf(new Date(Date.parse(week) + 7 * dayMs))
  for (const table of partitionedTables) {
    const partition = partitionName(table, week)
    if (await exists(db, partition)) continue
    // To attach a table takes a weaker lock than to create a partition, so readers go on. DDL takes no parameters; names and bounds
    // come from our own dates.
    await alter(db, async (tx) =>
      (await exists(tx, partition))
        ? []
        : [
            `create table if not exists ${partition} (like ${table} including all)`,
            ...withoutStatistics[table].map(
              (column) => `alter table ${partition} alter column ${column} set statistics 0`,
            ),
            `alter table ${table} attach partition ${partition} for values from ('${week}') to ('${next}')`,
          ],
    )
  }
}

/** How many weeks after that of a time have their partitions already, without a gap. */
export async function partitionsAhead(db: Db, time: Date): Promise<number> {
  const found = await rows<{ name: string }>(
    db,
    sql`
    select child.relname as name
      from pg_inherits
      join pg_class child on child.oid = inhrelid
     where inhparent in ('chunks'::regclass, 'device_jobs'::regclass)`,
  )
  const names = new Set(found.map(({ name }) => name))
  const isThere = (weeks: number) => {
    const week = weekOf(new Date(time.getTime() + weeks * 7 * dayMs))
    return partitionedTables.every((table) => names.has(partitionName(table, week)))
  }
  let ahead = 0
  while (isThere(ahead + 1)) ahead += 1
  return ahead
}

/** Drops the partitions of the weeks before a time that no job needs any more. */
export async function dropUnusedPartitions(db: Db, before: Date): Promise<void> {
  for (const week of await unusedWeeks(db, before)) {
    // The chunks last, because the chunks show that a week still has to be dropped.
    for (const table of partitionedTables.toReversed()) {
      await alter(db, async () => [`drop table if exists ${partitionName(table, week)}`])
    }
  }
}

const partitionedTables = ['chunks', 'device_jobs'] as const

/** Columns that no condition names, and whose values take long to count: to analyze the ids of 1,000 chunks takes half a second. */
const withoutStatistics = { chunks: ['device_ids'], device_jobs: [] } as const

/** Waits 2 s at most for its locks. Behind a long reader it gives up, because all others would wait behind it. */
async function alter(db: Db, decide: (tx: Db) => Promise<readonly string[]>): Promise<void> {
  await briefly(
    db,
    async (tx) => {
      await rows(tx, sql`select pg_advisory_xact_lock(${alterLock})`)
      for (const statement of await decide(tx)) await tx.execute(sql.raw(statement))
    },
    { settings: { lock_timeout: 2_000 } },
  )
}

/** One alteration at a time. Any number that no other advisory lock of the database uses. */
const alterLock = 7_301_966

async function exists(db: Db, table: string): Promise<boolean> {
  const [found] = await rows<{ is_attached: boolean }>(
    db,
    sql`select exists (select from pg_inherits where inhrelid = to_regclass(${table})) as is_attached`,
  )
  return found?.is_attached ?? false
}

/**
 * Weeks that lie wholly before the limit and have no job left. The partitions are found before their names are read as dates: else
 * Postgres may read the names of all its tables so.
 */
async function unusedWeeks(db: Db, before: Date): Promise<string[]> {
  const found = await rows<{ week: string }>(
    db,
    sql`
    with named as materialized (
      select right(child.relname, 8) as stamp
        from pg_inherits
        join pg_class child on child.oid = inhrelid
       where inhparent = 'chunks'::regclass)
    select partition.week
      from (select to_char(to_date(stamp, 'YYYYMMDD'), 'YYYY-MM-DD') as week from named) as partition
     where partition.week < ${weekOf(before)}
       and not exists (select from jobs where jobs.week = partition.week::date)`,
  )
  return found.map(({ week }) => week)
}

function partitionName(table: string, week: string): string {
  return `${table}_${week.replaceAll('-', '')}`
}
