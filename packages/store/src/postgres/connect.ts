import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { type ClientConfig, Pool, type PoolClient } from 'pg'
import { isDatabaseLost } from './database-error.ts'
import { type Db, rows, statementTimes, withoutNames } from './sql.ts'

export interface Connection {
  readonly db: Db
  /** How its connections are used now. */
  use(): PoolUse
  /** Waits up to 5 s for statements under way, then cuts them. */
  close(): Promise<void>
}

interface PoolUse {
  /** Connections that a statement or a transaction has. */
  readonly used: number
  /** Statements and transactions that wait for one. */
  readonly waiting: number
}

/** Hears how long something took. For metrics: it must be fast, and may not throw. */
export interface Times {
  /** A hot statement that succeeded, with its wait for a connection, unless it is in a transaction. */
  statement(name: string, seconds: number): void
  /** The wait of a statement or a transaction for a connection, also for a new one. */
  connection(seconds: number): void
}

const unheard: Times = { statement() {}, connection() {} }

/**
 * Opens a pool lazily: the first statement connects. A lost connection is opened again by the next statement. `prepare`: hot
 * statements are planned once for each connection, see `prepared`.
 */
export function connect({
  url,
  poolSize,
  prepare = true,
  times = unheard,
}: {
  readonly url: string
  readonly poolSize: number
  readonly prepare?: boolean
  readonly times?: Times
}): Connection {
  const pool = new Pool({
    ...settings(url),
    max: poolSize,
    idleTimeoutMillis: 60_000,
    verify: (client, done) => void settle(client).then(() => done(), done),
  })
  const open = new Set<PoolClient>()
  pool.on('connect', (client) => {
    open.add(client)
    client.on('error', leaveToNextStatement)
  })
  pool.on('remove', (client) => open.delete(client))
  pool.on('error', leaveToNextStatement)
  timeConnections(pool, times)
  return {
    db: databaseOf(pool, { prepare, times }),
    use: () => ({ used: pool.totalCount - pool.idleCount, waiting: pool.waitingCount }),
    close: () => closePool(pool, open),
  }
}

type Connected = (error: Error | undefined, client: PoolClient | undefined, done: (release?: unknown) => void) => void

/** The pool itself has no word for the wait. Its own `query` connects by the callback. */
function timeConnections(pool: Pool, times: Times): void {
  const connect = pool.connect.bind(pool)
  Object.assign(pool, {
    connect(callback?: Connected) {
      const startedAtMs = performance.now()
      const note = () => times.connection((performance.now() - startedAtMs) / 1000)
      if (callback === undefined) return connect().finally(note)
      return connect((error, client, done) => {
        note()
        callback(error, client, done)
      })
    },
  })
}

/**
 * Listens for a connection that is lost between two statements. Without a listener the event would end the process. There is nothing
 * to do: the next statement of its transaction fails, and any other statement gets another connection.
 */
export function leaveToNextStatement(): void {}

/**
 * The transaction of drizzle over a pool never gives the connection back when `begin` fails, and the pool would run empty. A lost
 * connection looks like a good one until its socket closes, so nobody else gets it.
 */
function databaseOf(pool: Pool, { prepare, times }: { readonly prepare: boolean; readonly times: Times }): Db {
  const named = <Named extends Db>(db: Named): Named =>
    Object.assign(db, { [statementTimes]: times.statement, ...(prepare ? {} : { [withoutNames]: true as const }) })
  const db = named(drizzle(pool))
  db.transaction = async (work, config) => {
    const client = await pool.connect()
    let isLost = false
    try {
      return await drizzle(client).transaction((tx) => work(named(tx)), config)
    } catch (error) {
      isLost = isDatabaseLost(error)
      throw error
    } finally {
      client.release(isLost)
    }
  }
  return db
}

const closeMs = 5000

async function closePool(pool: Pool, open: ReadonlySet<PoolClient>): Promise<void> {
  const ended = pool.end().then(() => true)
  const hasEnded = await Promise.race([ended, delay(closeMs, false, { ref: false })])
  if (!hasEnded) for (const client of open) client.connection.stream.destroy()
}

/** Each side notices within 25 s that the other one is gone. */
const sessionSettings = {
  statement_timeout: '60s',
  idle_in_transaction_session_timeout: '15s',
  tcp_keepalives_idle: '10',
  tcp_keepalives_interval: '5',
  tcp_keepalives_count: '3',
}

/**
 * A new session runs in UTC, which `instant` needs, and within bounds. A pooler of transactions lends us another session for each
 * transaction, and of all these settings it keeps only the time zone with us. We know it by its greeting, which has a process id that no
 * session has. Its own settings are the bounds then.
 */
async function settle(client: PoolClient): Promise<void> {
  const greeted = 'processID' in client ? client.processID : null
  await client.query(
    `select set_config('TimeZone', 'UTC', false),
            (select count(set_config(key, value, false)) from json_each_text($1) where pg_backend_pid() = $2)`,
    [JSON.stringify(sessionSettings), greeted],
  )
}

/** The parameters of a start are few: a pooler refuses those that it does not know. */
export function settings(url: string): ClientConfig {
  return {
    connectionString: url,
    application_name: 'muster',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  }
}

/** Throws when Postgres does not answer, or takes no writes: a hub cannot work with a standby, or with a server that was made read-only. */
export async function checkPostgres(db: Db): Promise<void> {
  const [found] = await rows<{ read_only: string }>(
    db,
    sql`select current_setting('transaction_read_only') as read_only`,
  )
  if (found?.read_only === 'on') throw new Error('Postgres is read-only')
}
