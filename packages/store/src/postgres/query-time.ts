import { HubError } from '@muster/contract'
import { type SQL, sql } from 'drizzle-orm'
import { isStatementTimeout } from './database-error.ts'
import { type Db, rows } from './sql.ts'

/** The time for one page of a query of a caller. */
const queryTimeSeconds = 10

/** Runs one statement of a caller's query. */
export type Search = <Row extends Record<string, unknown>>(statement: SQL) => ReturnType<typeof rows<Row>>

/**
 * Runs a query of a caller on one snapshot, read-only and in bounded time: no statement takes longer, and none begins after that
 * time.
 * @throws HubError GatewayTimeout when the time is over.
 */
export async function withinQueryTime<Result>(db: Db, work: (search: Search) => Promise<Result>): Promise<Result> {
  const start = performance.now()
  const search =
    (tx: Db): Search =>
    (statement) => {
      if (performance.now() - start > queryTimeSeconds * 1000) throw tooLong()
      return rows(tx, statement)
    }
  try {
    return await db.transaction(
      async (tx) => {
        // The just-in-time compiler would take longer than most pages.
        await rows(
          tx,
          sql`select set_config('statement_timeout', ${`${queryTimeSeconds}s`}, true), set_config('jit', 'off', true)`,
        )
        return work(search(tx))
      },
      { isolationLevel: 'repeatable read', accessMode: 'read only' },
    )
  } catch (cause) {
    if (!isStatementTimeout(cause)) throw cause
    throw tooLong(cause)
  }
}

function tooLong(cause?: unknown): HubError {
  return new HubError('GatewayTimeout', {
    message: `the query took longer than ${queryTimeSeconds} seconds; narrow it with an equality of deviceId, jobId or a tag`,
    cause,
  })
}
