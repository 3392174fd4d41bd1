import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { drizzle } from 'drizzle-orm/node-postgres'
import { Client } from 'pg'
import { leaveToNextStatement, settings } from './connect.ts'
import { isLockTimeout } from './database-error.ts'
import { type Db, rows } from './sql.ts'

/** The database was migrated by a newer version, in a way that this one cannot work with. */
export class SchemaTooNewError extends Error {
  override readonly name = 'SchemaTooNewError'
}

/** The database has not been migrated to this version. */
export class SchemaTooOldError extends Error {
  override readonly name = 'SchemaTooOldError'
}

/**
 * The first line of a migration that the version before it can work with: it only adds. The database keeps that word, because the older
 * version does not have the file.
 */
const expandsLine = '-- expands'

const migrationsFolder = fileURLToPath(new URL('../../migrations', import.meta.url))

// Any number will do, as long as nothing else in the database uses it.
const migrationLock = 7_301_964

/** Whoever uses the table comes after a migration that waits for it. So a migration waits for a moment only, and lets the others go first. */
const lockMs = 500
const pauseMs = 1_000
/** The longest statement of the hub is the search for a target set, a minute. */
const mostTries = 120

/**
 * Brings the schema up to date, in one transaction. Safe to call from many processes at once: one of them does it, under a lock that
 * ends with the transaction. Tries again, for two minutes at least, while statements under way use what it changes. Returns the names of
 * the migrations that were missing, in their order.
 * @throws SchemaTooNewError when the database knows migrations that this version does not.
 */
export async function migrate(url: string): Promise<readonly string[]> {
  const client = new Client(settings(url))
  client.on('error', leaveToNextStatement)
  await client.connect()
  try {
    for (let tries = 1; ; tries += 1) {
      try {
        return await drizzle(client).transaction(applyMissing)
      } catch (error) {
        if (!isLockTimeout(error) || tries === mostTries) throw error
        await sleep(pauseMs)
      }
    }
  } finally {
    await client.end()
  }
}

async function applyMissing(tx: Db): Promise<readonly string[]> {
  await rows(tx, sql`select pg_advisory_xact_lock(${migrationLock})`)
  await refuseNewerSchema(tx)
  const applied = await countAppliedMigrations(tx)
  await rows(tx, sql`select set_config('lock_timeout', ${String(lockMs)}, true)`)
  await applyMigrations(tx, applied)
  return knownMigrations().slice(applied)
}

/** The migrator of drizzle would take no lock, and end our transaction. Its table is kept as it keeps it. */
async function applyMigrations(tx: Db, applied: number): Promise<void> {
  await rows(tx, sql`create schema if not exists drizzle`)
  await rows(
    tx,
    sql`create table if not exists drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)`,
  )
  await rows(
    tx,
    sql`alter table drizzle.__drizzle_migrations add column if not exists expands boolean not null default false`,
  )
  for (const { sql: statements, hash, folderMillis } of readMigrationFiles({ migrationsFolder }).slice(applied)) {
    for (const statement of statements) await rows(tx, sql.raw(statement))
    const expands = statements[0]?.startsWith(expandsLine) ?? false
    await rows(
      tx,
      sql`
      insert into drizzle.__drizzle_migrations (hash, created_at, expands)
      values (${hash}, ${folderMillis}, ${expands})`,
    )
  }
}

/**
 * The schema is the one that this version was written for, or a newer one that it can work with. Returns how many migrations it is
 * newer.
 * @throws SchemaTooNewError, or SchemaTooOldError when `migrate` has not run.
 */
export async function checkSchema(db: Db): Promise<number> {
  await refuseNewerSchema(db)
  const newer = (await countAppliedMigrations(db)) - knownMigrations().length
  if (newer >= 0) return newer
  throw new SchemaTooOldError('the schema is missing or of an older version: run "muster migrate"')
}

async function refuseNewerSchema(db: Db): Promise<void> {
  const applied = await countAppliedMigrations(db)
  const known = knownMigrations().length
  if (applied <= known || (await onlyExpandAfter(db, known))) return
  throw new SchemaTooNewError(
    `the database holds ${applied} migrations and this version of Muster knows ${known}: start the version that migrated it, or a newer one`,
  )
}

/** Whether the migrations after so many leave this version everything that it uses. */
async function onlyExpandAfter(db: Db, known: number): Promise<boolean> {
  const contracting = await rows(
    db,
    sql`
    select 1
      from (select expands from drizzle.__drizzle_migrations order by id offset ${known}) newer
     where not expands
     limit 1`,
  )
  return contracting.length === 0
}

/** The version of the schema: 0 for a database without one. */
export async function countAppliedMigrations(db: Db): Promise<number> {
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

/** In the order in which they are applied, which their numbers give. */
function knownMigrations(): readonly string[] {
  return readdirSync(migrationsFolder)
    .filter((file) => file.endsWith('.sql'))
    .map((file) => basename(file, '.sql'))
    .toSorted()
}
