import { readFileSync } from 'node:fs'
import { createDatabase } from '@muster/testkit'
import postgres from 'postgres'
import { expect, inject, it } from 'vitest'
import { z } from 'zod'
import { awaitDatabase } from '../src/await-database.ts'
import { checkDatabase, prepareDatabase } from '../src/database.ts'
import { runMuster, startMuster } from './quickstart/quickstart.ts'

const migrationsFolder = new URL('../../../packages/store/migrations/', import.meta.url)
const journal = z
  .object({ entries: z.array(z.object({ tag: z.string(), when: z.number() })) })
  .parse(JSON.parse(readFileSync(new URL('meta/_journal.json', migrationsFolder), 'utf8')))

/** The environment of `muster migrate` on an empty database. */
async function givenDatabase() {
  const database = await createDatabase(inject('databaseUrl'))
  const environment = { PATH: process.env.PATH ?? '', DATABASE_URL: database.url }
  return { ...database, environment }
}

it('muster migrate says which migrations and policies it added, and the second time that there was nothing to do', async () => {
  await using database = await givenDatabase()

  const first = await runMuster(['migrate'], database)
  const second = await runMuster(['migrate'], database)

  expect(first).toMatchObject({ code: 0, stderr: '' })
  expect(first.stdout).toMatch(/^migrations applied: 0000_hub(, 0\d{3}_\w+)*\n/)
  expect(first.stdout).toMatch(/\npolicies added: device, iothubowner, registryRead, registryReadWrite, service\n$/)
  expect(second).toEqual({ code: 0, stdout: 'the schema is up to date\nthe policies are up to date\n', stderr: '' })
})

it('muster migrate says which configured policies it added and which it changed, and tells no key', async () => {
  await using database = await givenDatabase()
  await prepareDatabase({ databaseUrl: database.url, policies: [] })
  const policies = JSON.stringify([
    { name: 'ops', permissions: ['ServiceConnect'], primaryKey: 'b3Bz' },
    { name: 'device', permissions: ['DeviceConnect'] },
    { name: 'service', permissions: ['ServiceConnect', 'RegistryRead'] },
  ])

  const { stdout } = await runMuster(['migrate'], {
    environment: { ...database.environment, MUSTER_POLICIES: policies },
  })

  expect(stdout).toBe('the schema is up to date\npolicies added: ops\npolicies changed: service\n')
})

it('a database of an older version gets the migration that it lacks, and only that one is named', async () => {
  await using database = await givenDatabase()
  const known = journal.entries.map(({ tag }) => tag)
  await migrateAsVersionBefore(database.url)

  const { migrations } = await prepareDatabase({ databaseUrl: database.url, policies: [] })
  const again = await prepareDatabase({ databaseUrl: database.url, policies: [] })

  expect(migrations).toEqual(known.slice(-1))
  expect(again).toEqual({ migrations: [], addedPolicies: [], changedPolicies: [] })
})

it('of many that migrate at once, one applies every migration, and only that one says so', async () => {
  await using database = await givenDatabase()
  const migrate = () => prepareDatabase({ databaseUrl: database.url, policies: [] })

  const all = await Promise.all([migrate(), migrate(), migrate(), migrate()])

  const applied = all.map(({ migrations }) => migrations.length).toSorted()
  expect(applied).toEqual([0, 0, 0, expect.any(Number)])
  expect(applied[3]).toBeGreaterThan(0)
})

it('muster migrate --check ends with 0 only when the schema is there, and makes none', async () => {
  await using database = await givenDatabase()

  const before = await runMuster(['migrate', '--check'], database)
  const { migrations } = await prepareDatabase({ databaseUrl: database.url, policies: [] })
  const after = await runMuster(['migrate', '--check'], database)

  expect(before).toMatchObject({ code: 1, stdout: '' })
  expect(migrations.length).toBeGreaterThan(0)
  expect(before.stderr).toMatch(
    /^muster: Postgres at [\w.:]+: the schema is missing or of an older version: run "muster migrate"\n$/,
  )
  expect(after).toEqual({ code: 0, stdout: 'the schema is up to date\n', stderr: '' })
})

it('muster migrate --check --wait waits for the one that migrates', async () => {
  await using database = await givenDatabase()
  const waiting = startMuster(['migrate', '--check', '--wait', '50'], database)
  await waiting.prints('waiting: ')

  await prepareDatabase({ databaseUrl: database.url, policies: [] })

  expect(await waiting.ended).toMatchObject({ code: 0, stdout: 'the schema is up to date\n' })
})

it('muster migrate --check --wait ends in time when there is no Postgres, and says the reason twice at most', async () => {
  const environment = { PATH: process.env.PATH ?? '', DATABASE_URL: 'postgres://muster@127.0.0.1:1/muster' }

  const { code, stderr } = await runMuster(['migrate', '--check', '--wait', '2'], { environment })

  expect(code).toBe(1)
  expect(stderr.split('\n')).toEqual([
    expect.stringMatching(/^muster: waiting: Postgres at 127\.0\.0\.1:1: .*ECONNREFUSED/),
    expect.stringMatching(/^muster: Postgres at 127\.0\.0\.1:1: .*ECONNREFUSED/),
    '',
  ])
})

it('C9 a version works with a newer schema that only expands, and with no other one', async () => {
  await using database = await givenDatabase()
  await prepareDatabase({ databaseUrl: database.url, policies: [] })

  const config = { databaseUrl: database.url, policies: [] }

  await noteMigration(database.url, { expands: true })
  const expanded = await checkDatabase(config)
  const migrated = await prepareDatabase(config)
  await noteMigration(database.url, { expands: false })
  const contracted = awaitDatabase(() => checkDatabase(config), 600)

  expect(expanded).toBe('the schema is newer by 1, and this version can work with it')
  expect(migrated.migrations).toEqual([])
  await expect(contracted).rejects.toThrow(/: start the version that migrated it, or a newer one$/)
})

/** As a newer version leaves it. */
async function noteMigration(url: string, { expands }: { expands: boolean }): Promise<void> {
  const sql = postgres(url, { max: 1 })
  await sql`insert into drizzle.__drizzle_migrations (hash, created_at, expands) values ('newer', 0, ${expands})`
  await sql.end()
}

/** Applies all migrations but the last one, and notes them as the migrator does. */
async function migrateAsVersionBefore(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  await sql.unsafe('create schema drizzle')
  await sql.unsafe(
    'create table drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)',
  )
  for (const { tag, when } of journal.entries.slice(0, -1)) {
    await sql.unsafe(readFileSync(new URL(`${tag}.sql`, migrationsFolder), 'utf8'))
    await sql`insert into drizzle.__drizzle_migrations (hash, created_at) values (${tag}, ${when})`
  }
  await sql.end()
}
