import { HubError } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { isStatementTimeout } from './database-error.ts'
import { type Db, rows } from './sql.ts'

/** What one page of a caller's query may take. */
const queryTimeSeconds = 10

/**
 * Runs a caller's query in a read-only transaction of bounded time.
 * @throws HubError GatewayTimeout when it takes longer.
 */
export async function withinQueryTime<Result>(db: Db, work: (tx: Db) => Promise<Result>): Promise<Result> {
  try {
    return await db.transaction(
      async (tx) => {
        // What the just-in-time compiler would take is longer than most pages take.
        await rows(
          tx,
          sql`select set_config('statement_timeout', ${`${queryTimeSeconds}s`}, true), set_config('jit', 'off', true)`,
        )
        return work(tx)
      },
      { accessMode: 'read only' },
    )
  } catch (cause) {
    if (!isStatementTimeout(cause)) throw cause
    throw new HubError('GatewayTimeout', {
      message: `the query took longer than ${queryTimeSeconds} seconds; narrow it with an equality of deviceId, jobId or a tag`,
      cause,
    })
  }
}
