import { readdirSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { migrate as applyMigrations } from 'drizzle-orm/node-postgres/migrator'
import { Client, type ClientConfig, Pool, type PoolClient } from 'pg'
import { isDatabaseLost } from './database-error.ts'
import { type Db, rows } from './sql.ts'

export interface Connection {
  readonly db: Db
  /** Waits up to 5 s for statements under way, then cuts them. */
  close(): Promise<void>
}

/** Opens a pool lazily: the first statement connects. A lost connection is opened again by the next statement. */
export function connect({ url, poolSize }: { url: string; poolSize: number }): Connection {
  const pool = new Pool({
    ...settings(url),
    max: poolSize,
    idleTimeoutMillis: 60_000,
    statement_timeout: 60_000,
    idle_in_transaction_session_timeout: 15_000,
  })
  const open = new Set<PoolClient>()
  pool.on('connect', (client) => {
    open.add(client)
    client.on('error', leaveToNextStatement)
  })
  pool.on('remove', (client) => open.delete(client))
  pool.on('error', leaveToNextStatement)
  return { db: databaseOf(pool), close: () => closePool(pool, open) }
}

/**
 * Hears of a connection that is lost between two statements: unheard, the event would end the process. There is nothing to
 * do, because the next statement of its transaction fails, and any other statement gets another connection.
 */
function leaveToNextStatement(): void {}

/**
 * drizzle's own transaction over a pool never gives the connection back when `begin` fails: the pool would run dry. A lost
 * connection looks like a good one until its socket closes, so it is not given to the next who waits.
 */
function databaseOf(pool: Pool): Db {
  const db = drizzle(pool)
  db.transaction = async (work, config) => {
    const client = await pool.connect()
    let isLost = false
    try {
      return await drizzle(client).transaction(work, config)
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

/** Sessions run in UTC, which `instant` relies on. Both sides see within 25 s that the other one is gone without a word. */
const sessionOptions =
  '-c TimeZone=UTC -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3'

/** What the address says about the session is kept, and ours come last: the driver would take only one of them. */
function settings(url: string): ClientConfig {
  const address = new URL(url)
  const options = [address.searchParams.get('options') ?? '', sessionOptions].join(' ').trim()
  address.searchParams.delete('options')
  return {
    connectionString: address.href,
    options,
    application_name: 'muster',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  }
}

/** The database was migrated by a newer version than this one. */
export class SchemaTooNewError extends Error {
  override readonly name = 'SchemaTooNewError'
}

/** The database has not been migrated to this version. */
export class SchemaTooOldError extends Error {
  override readonly name = 'SchemaTooOldError'
}

const migrationsFolder = fileURLToPath(new URL('../../migrations', import.meta.url))

// Any number will do, as long as nothing else in the database uses it.
const migrationLock = 7_301_964

/**
 * Brings the schema up to date. Safe to call from many processes at once: the migrator itself takes no lock, so an advisory
 * lock is held on its one connection.
 * @throws SchemaTooNewError when the database knows migrations that this version does not.
 */
export async function migrate(url: string): Promise<void> {
  const client = new Client(settings(url))
  client.on('error', leaveToNextStatement)
  await client.connect()
  const db = drizzle(client)
  try {
    await rows(db, sql`select pg_advisory_lock(${migrationLock})`)
    await refuseNewerSchema(db)
    await applyMigrations(db, { migrationsFolder })
  } finally {
    await client.end()
  }
}

/** Postgres answers. Throws when it does not. */
export async function checkPostgres(db: Db): Promise<void> {
  await rows(db, sql`select 1`)
}

/**
 * The schema is the one that this version was written for.
 * @throws SchemaTooNewError, or SchemaTooOldError when `migrate` has not run.
 */
export async function checkSchema(db: Db): Promise<void> {
  await refuseNewerSchema(db)
  if ((await countAppliedMigrations(db)) < countKnownMigrations()) {
    throw new SchemaTooOldError('the schema is missing or of an older version: run "muster migrate"')
  }
}

async function refuseNewerSchema(db: Db): Promise<void> {
  const applied = await countAppliedMigrations(db)
  const known = countKnownMigrations()
  if (applied > known) {
    throw new SchemaTooNewError(
      `the database holds ${applied} migrations and this version of Muster knows ${known}: start the version that migrated it, or a newer one`,
    )
  }
}

async function countAppliedMigrations(db: Db): Promise<number> {
  const [table] = await rows<{ name: string | null }>(
    db,
    sql`select to_regclass('drizzle.__drizzle_migrations')::text as name`,
  )
  if (table?.name == null) return 0
  const [applied] = await rows<{ count: number }>(
    db,
    sql`select count(*)::int as count from drizzle.__drizzle_migrations`,
  )
  return applied?.count ?? 0
}

function countKnownMigrations(): number {
  return readdirSync(migrationsFolder).filter((file) => file.endsWith('.sql')).length
}
