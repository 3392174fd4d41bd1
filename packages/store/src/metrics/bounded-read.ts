import { briefly } from '../postgres/briefly.ts'
import type { Db } from '../postgres/sql.ts'

/** How long a statement for a gauge may take. A scrape waits for 2 s. */
const statementMs = 1_500

/** Reads for gauges: in one snapshot, without writes, and never for long. */
export function boundedRead<Value>(db: Db, read: (tx: Db) => Promise<Value>): Promise<Value> {
  return briefly(db, read, { settings: { statement_timeout: statementMs, transaction_read_only: 'on', jit: 'off' } })
}
