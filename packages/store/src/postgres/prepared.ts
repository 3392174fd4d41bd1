import type { SQL } from 'drizzle-orm'
import { PgDialect } from 'drizzle-orm/pg-core'
import type { QueryResult } from 'pg'
import { type Assume, type Db, withoutNames } from './sql.ts'

/** The hot statements: what jobs and connections do for each chunk and each device. Each has one text, which no caller writes. */
export const hotStatements = [
  'claimChunk',
  'claimDueDeviceJobs',
  'completeJob',
  'findOwners',
  'findRoutes',
  'finishLockedChunk',
  'lockChunk',
  'lockRunningJob',
  'markDueWhereReachable',
  'markReachable',
  'readCredentials',
  'readRunningType',
  'recordActivity',
  'recordFirstAttempts',
  'recordLaterAttempts',
  'shareJobLock',
  'takeSession',
] as const
export type HotStatement = (typeof hotStatements)[number]

const dialect = new PgDialect()

/**
 * Runs a hot statement by its name. A connection has Postgres parse it once; Postgres keeps a plan for any values where that costs no
 * more than a plan for these. The driver refuses a second text under one name.
 */
export async function prepared<Row extends Record<string, unknown>>(
  db: Db,
  name: HotStatement,
  query: SQL,
): Promise<Assume<Row>[]> {
  const statement = db._.session.prepareQuery<{ execute: QueryResult<Assume<Row>>; all: unknown; values: unknown }>(
    dialect.sqlToQuery(query),
    undefined,
    db[withoutNames] ? undefined : name,
    false,
  )
  const { rows } = await statement.execute()
  return rows
}
