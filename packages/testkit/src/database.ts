import { randomBytes } from 'node:crypto'
import postgres, { type Sql } from 'postgres'

export interface TestDatabase extends AsyncDisposable {
  readonly url: string
}

/**
 * A new database on the server of `adminUrl`, empty or a copy of `template`. Dispose drops it, connections or not. Its name
 * begins with the name of the database of adminUrl, which tells the databases of a test run from others.
 */
export async function createDatabase(adminUrl: string, { template = 'template0' } = {}): Promise<TestDatabase> {
  const name = `${nameIn(adminUrl)}_${randomBytes(6).toString('hex')}`
  await administer(adminUrl, (sql) => sql`create database ${sql(name)} template ${sql(template)}`)
  return {
    url: withDatabase(adminUrl, name),
    [Symbol.asyncDispose]: async () => {
      await administer(adminUrl, (sql) => sql`drop database if exists ${sql(name)} with (force)`)
    },
  }
}

/**
 * The name of a database to pass to createDatabase as `template`. The first caller makes it by `migrate`, the others wait; test
 * files may run at the same time. `migrate` must close its connections: a database in use can be neither renamed nor copied.
 */
export async function templateDatabase(
  adminUrl: string,
  name: string,
  migrate: (url: string) => Promise<unknown>,
): Promise<string> {
  const template = `${nameIn(adminUrl)}_${name}`
  const unfinished = `${template}_unfinished`
  await administer(adminUrl, async (sql) => {
    await sql`select pg_advisory_lock(hashtext(${template}))`
    const existing = await sql`select from pg_database where datname = ${template}`
    if (existing.length > 0) return

    await sql`drop database if exists ${sql(unfinished)} with (force)`
    await sql`create database ${sql(unfinished)} template template0`
    await migrate(withDatabase(adminUrl, unfinished))
    await sql`alter database ${sql(unfinished)} rename to ${sql(template)}`
  })
  return template
}

/** Drops the database of `url` and all those whose names begin with its name. */
export async function dropDatabases(adminUrl: string, url: string): Promise<void> {
  await administer(adminUrl, async (sql) => {
    const databases = await sql<{ datname: string }[]>`
      select datname
        from pg_database
       where starts_with(datname, ${nameIn(url)})`
    for (const { datname } of databases) await sql`drop database ${sql(datname)} with (force)`
  })
}

/** One connection, whose session locks end with it. */
async function administer<T>(url: string, work: (sql: Sql) => Promise<T>): Promise<T> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    return await work(sql)
  } finally {
    await sql.end()
  }
}

function nameIn(url: string): string {
  return new URL(url).pathname.slice(1)
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url)
  changed.pathname = name
  return changed.href
}
