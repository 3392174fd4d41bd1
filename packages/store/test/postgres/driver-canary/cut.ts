import { Client } from 'pg'

/** What Postgres says of a backend that waits: for its client, for a lock on a table, for the end of pg_sleep. */
type WaitEvent = 'ClientRead' | 'relation' | 'PgSleep'

export async function withObserver<T>(url: string, work: (observer: Client) => Promise<T>): Promise<T> {
  const observer = new Client({ connectionString: url })
  await observer.connect()
  try {
    return await work(observer)
  } finally {
    await observer.end()
  }
}

/** Terminates all backends of the database that wait for this, as soon as there is one. */
export async function cutWaiting(observer: Client, waitEvent: WaitEvent): Promise<void> {
  const deadline = Date.now() + 10_000
  while ((await cut(observer, waitEvent)) === 0) {
    if (Date.now() > deadline) throw new Error(`wait_event is "${waitEvent}" in no backend, expected one within 10 s`)
  }
}

/** Terminates the other clients' backends of the database. Returns how many there were. */
export async function cut(observer: Client, waitEvent?: WaitEvent): Promise<number> {
  // Within a transaction Postgres would go on to show what it showed first.
  await observer.query('select pg_stat_clear_snapshot()')
  const { rows } = await observer.query(
    `select pg_terminate_backend(pid)
       from pg_stat_activity
      where datname = current_database()
        and backend_type = 'client backend'
        and pid <> pg_backend_pid()
        and ($1::text is null or wait_event = $1)`,
    [waitEvent],
  )
  return rows.length
}
