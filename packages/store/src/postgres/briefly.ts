import { sql } from 'drizzle-orm'
import { type Db, rows } from './sql.ts'

/** How long Postgres waits for the next statement of the process. Then it ends the connection, and the transaction with its locks. */
const idleMs = 1_000

/**
 * A transaction that holds locks for which others wait. A process that is frozen in the middle of it loses them after a second.
 * `settings`: of Postgres, until its end.
 */
export async function briefly<Result>(
  db: Db,
  work: (tx: Db) => Promise<Result>,
  { settings = {} }: { readonly settings?: Settings } = {},
): Promise<Result> {
  return db.transaction(async (tx) => {
    await setLocally(tx, { idle_in_transaction_session_timeout: idleMs, ...settings })
    return work(tx)
  })
}

/** Settings of Postgres by their names. A time is in ms. */
export type Settings = Readonly<Record<string, string | number>>

/** Sets them until the end of the transaction, in one statement. */
export async function setLocally(tx: Db, settings: Settings): Promise<void> {
  const assignments = Object.entries(settings).map(([name, value]) => sql`set_config(${name}, ${String(value)}, true)`)
  await rows(tx, sql`select ${sql.join(assignments, sql`, `)}`)
}
