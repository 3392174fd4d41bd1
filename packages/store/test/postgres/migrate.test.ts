import { readFileSync } from 'node:fs'
import { createDatabase, eventually } from '@muster/testkit'
import postgres from 'postgres'
import { expect, inject, it, onTestFinished } from 'vitest'
import { migrate } from '../../src/postgres/migrate.ts'

it('C10 a migration gives way to those who use its table, and to those who come after them', async () => {
  const database = await createDatabase(inject('databaseUrl'))
  onTestFinished(() => database[Symbol.asyncDispose]())
  const [, ...later] = await migrate(database.url)
  const sql = postgres(database.url, { max: 3, onnotice: () => {} })
  onTestFinished(() => sql.end())
  await sql`drop schema public cascade`
  await sql`create schema public`
  await sql.unsafe(readFileSync(new URL('../../migrations/0000_hub.sql', import.meta.url), 'utf8'))
  await sql`delete from drizzle.__drizzle_migrations where id > (select min(id) from drizzle.__drizzle_migrations)`

  const reader = await sql.reserve()
  await reader`begin`
  await reader`select count(*) from jobs`
  const migrating = migrate(database.url)
  await waitingFor(sql)
  // It would stand behind the migration for as long as the reader does.
  expect(await sql`select count(*)::int from jobs`).toEqual([{ count: 0 }])
  await waitingFor(sql)
  await reader`commit`
  reader.release()

  expect(later).toContain('0001_traceparent')
  expect(await migrating).toEqual(later)
})

/** Until a migration waits for the table. */
function waitingFor(sql: postgres.Sql): Promise<void> {
  return eventually(async () =>
    expect(await sql`select from pg_locks where relation = 'jobs'::regclass and not granted`).toHaveLength(1),
  )
}
