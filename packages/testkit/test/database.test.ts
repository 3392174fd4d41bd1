import postgres from 'postgres'
import { expect, inject, it } from 'vitest'
import { createDatabase, templateDatabase } from '../src/index.ts'

it('files that ask for the same template at the same time share one', async () => {
  const adminUrl = inject('databaseUrl')
  let migrations = 0
  const migrate = async (url: string) => {
    migrations += 1
    await withSql(url, (sql) => sql`create table colours as select 'red' as name`)
  }

  const templates = await Promise.all([1, 2, 3].map(() => templateDatabase(adminUrl, 'shared', migrate)))
  await using copy = await createDatabase(adminUrl, { template: templates[0] })
  const colours = await withSql(copy.url, (sql) => sql`select name from colours`)

  expect(new Set(templates).size).toBe(1)
  expect(migrations).toBe(1)
  expect([...colours]).toEqual([{ name: 'red' }])
})

it('a template whose migration failed is made again by the next caller', async () => {
  const adminUrl = inject('databaseUrl')
  const failing = templateDatabase(adminUrl, 'retried', async () => {
    throw new Error('no disk')
  })
  await expect(failing).rejects.toThrow('no disk')

  const template = await templateDatabase(adminUrl, 'retried', (url) =>
    withSql(url, (sql) => sql`create table shapes (name text)`),
  )
  await using copy = await createDatabase(adminUrl, { template })

  expect([...(await withSql(copy.url, (sql) => sql`select * from shapes`))]).toEqual([])
})

it('a disposed database is gone even when somebody is still connected', async () => {
  const adminUrl = inject('databaseUrl')
  const database = await createDatabase(adminUrl)
  const sql = postgres(database.url, { max: 1 })
  await sql`select 1`

  await database[Symbol.asyncDispose]()

  const name = new URL(database.url).pathname.slice(1)
  const left = await withSql(adminUrl, (admin) => admin`select from pg_database where datname = ${name}`)
  expect(left).toHaveLength(0)
  await sql.end()
})

async function withSql<T>(url: string, work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(url, { max: 1 })
  try {
    return await work(sql)
  } finally {
    await sql.end()
  }
}
