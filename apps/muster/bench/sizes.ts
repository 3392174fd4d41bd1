import type postgres from 'postgres'
import { print } from './figures.ts'
import { loadFleet } from './fleet.ts'
import { withStores } from './hub.ts'
import { loadHistory, makeWeeks } from './waiting.ts'

const endedJobs = 10

/** The bytes that Postgres keeps, with all indexes, for a device and its twin, and for a device of an ended method job. */
export async function benchSizes(deviceCount: number): Promise<void> {
  await withStores(async ({ config: { databaseUrl }, database }) => {
    if (databaseUrl === null) return
    await loadFleet(database, deviceCount)
    await show(
      database,
      'a device with its twin and, of every fifth, a session',
      ['devices', 'twins', 'sessions'],
      deviceCount,
    )
    await makeWeeks(databaseUrl)
    await loadHistory(database, deviceCount)
    await show(
      database,
      'a device of an ended job, with its answer',
      ['device_jobs', 'chunks'],
      endedJobs * deviceCount,
    )
    await show(database, '  of them for chunks, which a twin job has alone', ['chunks'], endedJobs * deviceCount)
  })
}

/** Tables with their partitions, their indexes, and what is stored beside the rows. */
async function show(database: postgres.Sql, name: string, tables: readonly string[], count: number): Promise<void> {
  const [row] = await database<{ bytes: number }[]>`
    select sum(pg_total_relation_size(oid))::float8 as bytes
      from pg_class left join pg_inherits on inhrelid = oid
     where relkind = 'r' and coalesce(inhparent, oid) = any(${tables}::text[]::regclass[])`
  print(`${name.padEnd(60)}${((row?.bytes ?? Number.NaN) / count).toFixed(0).padStart(6)} bytes`)
}
