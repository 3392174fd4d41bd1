import { createDatabase } from '@muster/testkit'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type Connection, checkPostgres, connect } from '../../src/postgres/connect.ts'
import { databaseError, isDatabaseLost } from '../../src/postgres/database-error.ts'
import { type Db, rows, texts } from '../../src/postgres/sql.ts'

const poolSize = 8
const callerCount = 4 * poolSize
let database: Awaited<ReturnType<typeof createDatabase>>
let connection: Connection
let other: Connection

beforeAll(async () => {
  database = await createDatabase(inject('databaseUrl'))
  connection = connect({ url: database.url, poolSize })
  other = connect({ url: inject('databaseUrl'), poolSize: 1 })
})
afterAll(async () => {
  await connection.close()
  await other.close()
  await database[Symbol.asyncDispose]()
})

describe('when its connections are cut, the pool', () => {
  it('ends every statement and transaction under way, says that Postgres is lost, and connects again', async () => {
    let isOver = false
    const callers = Array.from({ length: callerCount }, async (_, caller) => {
      const rejections: unknown[] = []
      while (!isOver)
        await (caller % 2 === 0 ? sleep(connection.db) : transact()).catch((error) => rejections.push(error))
      return rejections
    })

    let cuts = 0
    while (cuts < 20 * poolSize) cuts += await cut()
    isOver = true
    const rejections = (await Promise.all(callers)).flat()

    expect(rejections.length).toBeGreaterThan(0)
    expect(rejections.filter((error) => !isDatabaseLost(error))).toEqual([])
    expect(await rejectionsOfRound()).toEqual([])
  })

  it('fails at most one transaction for each that was idle', async () => {
    await rejectionsOfRound()
    await cut()

    const rejections = await rejectionsOfRound()

    expect(rejections.length).toBeLessThanOrEqual(poolSize)
    expect(rejections.filter((error) => !isDatabaseLost(error))).toEqual([])
    expect(await rejectionsOfRound()).toEqual([])
  })

  it('fails a transaction between two statements', async () => {
    const ends = await Promise.allSettled(
      Array.from({ length: poolSize }, () =>
        connection.db.transaction(async (tx) => {
          await rows(tx, sql`select 1`)
          await cut()
          return rows(tx, sql`select 1`)
        }),
      ),
    )

    expect(ends.map(isLost)).toEqual(ends.map(() => true))
    expect(await rejectionsOfRound()).toEqual([])
  })
})

describe('a Postgres that cannot serve now', () => {
  it('C5 is lost when it takes no writes, and its check says so', async () => {
    await using own = await createDatabase(inject('databaseUrl'))
    const asking = connect({ url: own.url, poolSize: 1 })
    await expect(checkPostgres(asking.db)).resolves.toBeUndefined()
    await rows(
      asking.db,
      sql.raw(`alter database ${new URL(own.url).pathname.slice(1)} set default_transaction_read_only = on`),
    )
    await asking.close()
    const reading = connect({ url: own.url, poolSize: 1 })

    const [end] = await Promise.allSettled([rows(reading.db, sql`create table t (n int)`)])

    expect(end.status === 'rejected' && databaseError(end.reason).code).toBe('25006')
    expect(isLost(end)).toBe(true)
    await expect(checkPostgres(reading.db)).rejects.toThrow('Postgres is read-only')
    await reading.close()
  })

  it('C5 is lost when it has no connection left', async () => {
    await using own = await createDatabase(inject('databaseUrl'))
    const name = new URL(own.url).pathname.slice(1)
    // Superusers are exempt from the limit of a database, so the caller is none.
    const role = `${name}_caller`
    await rows(other.db, sql.raw(`create role ${role} login password 'p'`))
    await rows(other.db, sql.raw(`alter database ${name} connection limit 0`))
    const url = Object.assign(new URL(own.url), { username: role, password: 'p' }).href
    const refused = connect({ url, poolSize: 1 })

    const [end] = await Promise.allSettled([sleep(refused.db)])
    await refused.close()
    await rows(other.db, sql.raw(`drop role ${role}`))

    expect(end.status === 'rejected' && databaseError(end.reason).code).toBe('53300')
    expect(isLost(end)).toBe(true)
  })

  it.each(['57P03', '53100', '53200', '58030'])('C5 is lost when it says %s', (code) => {
    expect(isDatabaseLost(Object.assign(new Error('no'), { code }))).toBe(true)
  })
})

describe('a connection', () => {
  it('that is closed rejects as lost', async () => {
    const closed = connect({ url: database.url, poolSize: 1 })
    await sleep(closed.db)
    await closed.close()

    const ends = await Promise.allSettled([sleep(closed.db), closed.db.transaction(sleep)])

    expect(ends.map(isLost)).toEqual([true, true])
  })

  it('that cannot be had within ten seconds, because others have them all, rejects as lost', async () => {
    const busy = connect({ url: database.url, poolSize: 1 })

    const ends = await busy.db.transaction(() => Promise.allSettled([sleep(busy.db), busy.db.transaction(sleep)]))

    expect(ends.map(isLost)).toEqual([true, true])
    await sleep(busy.db)
    await busy.close()
  })

  it('cuts at its close what does not end by itself', async () => {
    const closing = connect({ url: database.url, poolSize: 2 })
    const endless = rows(closing.db, sql`select pg_sleep(3600)`)
    const holding = closing.db.transaction(async (tx) => {
      await sleep(tx)
      await closing.close()
      await sleep(tx)
    })

    const ends = await Promise.allSettled([endless, holding])

    expect(ends.map(isLost)).toEqual([true, true])
  })

  it('runs in UTC and within bounds, and keeps what the address asks for', async () => {
    const address = new URL(database.url)
    address.searchParams.set('options', '-c TimeZone=Asia/Tokyo -c search_path=elsewhere')
    const asking = connect({ url: address.href, poolSize: 1 })
    const expected = {
      application_name: 'muster',
      TimeZone: 'UTC',
      search_path: 'elsewhere',
      statement_timeout: '1min',
      idle_in_transaction_session_timeout: '15s',
      tcp_keepalives_idle: '10',
      tcp_keepalives_interval: '5',
      tcp_keepalives_count: '3',
    }

    const settings = await rows<{ name: string; value: string }>(
      asking.db,
      sql`select name, current_setting(name) as value from unnest(${texts(Object.keys(expected))}) as name`,
    )
    await asking.close()

    expect(Object.fromEntries(settings.map(({ name, value }) => [name, value]))).toEqual(expected)
  })
})

async function sleep(db: Db): Promise<void> {
  await rows(db, sql`select pg_sleep(random() / 100)`)
}

function transact(): Promise<void> {
  return connection.db.transaction(async (tx) => {
    await sleep(tx)
    await tx.transaction(sleep)
  })
}

/** More transactions at once than there are connections. */
async function rejectionsOfRound(): Promise<unknown[]> {
  const ends = await Promise.allSettled(Array.from({ length: callerCount }, transact))
  return ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []))
}

function isLost(end: PromiseSettledResult<unknown>): boolean {
  return end.status === 'rejected' && isDatabaseLost(end.reason)
}

/** Terminates all connections to the database, and says how many there were. */
async function cut(): Promise<number> {
  const terminated = await rows(
    other.db,
    sql`
    select pg_terminate_backend(pid)
      from pg_stat_activity
     where datname = ${new URL(database.url).pathname.slice(1)}`,
  )
  return terminated.length
}
