import { sql } from 'drizzle-orm'
import { partitionsAhead } from '../jobs/start/partitions.ts'
import { countAppliedMigrations } from '../postgres/migrate.ts'
import { at, type Db, rows } from '../postgres/sql.ts'
import { gatewayDeadBefore } from '../sessions/gateways.ts'
import { boundedRead } from './bounded-read.ts'

export interface DatabaseFigures {
  /** How many migrations were applied. */
  readonly schemaVersion: number
  /** The weeks after this one that have their partitions already, without a gap. */
  readonly partitionsAheadWeeks: number
  /** The database on disk, with its indexes. */
  readonly databaseBytes: number
  /** Live ones. */
  readonly gateways: number
  readonly workers: number
}

/**
 * The state of the database, and the processes that live. Reads the catalog and two tables with a row for each process. Postgres asks the
 * file system for the size of each file: a few ms for some hundred tables and indexes.
 */
export async function readDatabaseFigures(db: Db, now: Date): Promise<DatabaseFigures> {
  return boundedRead(db, async (tx) => {
    const [found] = await rows<{ bytes: string; gateways: number; workers: number }>(
      tx,
      sql`
      select pg_database_size(current_database())::text as bytes,
             (select count(*) from gateways where heartbeat_at >= ${at(gatewayDeadBefore(now))})::int as gateways,
             (select count(*) from workers where lease_until > ${at(now)})::int as workers`,
    )
    const { bytes = '0', gateways = 0, workers = 0 } = found ?? {}
    return {
      schemaVersion: await countAppliedMigrations(tx),
      partitionsAheadWeeks: await partitionsAhead(tx, now),
      databaseBytes: Number(bytes),
      gateways,
      workers,
    }
  })
}
