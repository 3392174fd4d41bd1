import { sql } from 'drizzle-orm'
import { type Db, rows } from './sql.ts'

/** How long Postgres waits for the next statement of the process. Then it ends the connection, and the transaction with its locks. */
const idleMs = 1_000

/**
 * A transaction that holds locks for which others wait. A process that is frozen in the middle of it loses them after a second.
 * `lockMs`: how long its own statements wait for a lock, so that those who wait for this transaction do not wait for others behind it.
 */
export async function briefly<Result>(
  db: Db,
  work: (tx: Db) => Promise<Result>,
  { lockMs }: { readonly lockMs?: number } = {},
): Promise<Result> {
  return db.transaction(async (tx) => {
    const ofLock = lockMs === undefined ? sql`` : sql`, set_config('lock_timeout', ${String(lockMs)}, true)`
    await rows(tx, sql`select set_config('idle_in_transaction_session_timeout', ${String(idleMs)}, true)${ofLock}`)
    return work(tx)
  })
}
