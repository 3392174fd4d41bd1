import type { SQL } from 'drizzle-orm'
import { PgDialect } from 'drizzle-orm/pg-core'
import type { QueryResult } from 'pg'
import { type Assume, type Db, statementTimes, withoutNames } from './sql.ts'

/**
 * The hot statements, which run for each chunk and each device, or take longer to plan than to run. Each has one text, and no caller
 * writes any part of it.
 */
export const hotStatements = [
  'claimChunk',
  'claimDueDeviceJobs',
  'completeJob',
  'countAhead',
  'countInFlight',
  'findForgottenWork',
  'findOwners',
  'findRoutes',
  'finishLockedChunk',
  'lockChunk',
  'lockNextReady',
  'markDueWhereReachable',
  'markReachable',
  'permit',
  'readCredentials',
  'readRunningJob',
  'recordFirstAttempts',
  'recordLaterAttempts',
  'spend',
  'takeSessions',
] as const
export type HotStatement = (typeof hotStatements)[number]

const dialect = new PgDialect()

/**
 * Runs a hot statement by its name. Postgres parses it once for each connection. It keeps a plan for any values, if that plan costs no
 * more than a plan for the given ones. The driver refuses a second text under one name.
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
  const startedAtMs = performance.now()
  const { rows } = await statement.execute()
  db[statementTimes]?.(name, (performance.now() - startedAtMs) / 1000)
  return rows
}
