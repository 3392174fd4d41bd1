import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { readRunningJob } from '../../src/jobs/chunks.ts'
import { connect } from '../../src/postgres/connect.ts'
import { rows } from '../../src/postgres/sql.ts'
import { givenRunningJob, openStore } from '../jobs/engine.ts'

it('a pool tells the time of each hot statement, and of each wait for a connection', async () => {
  await using store = await openStore()
  const { key } = await givenRunningJob(store.db, { devices: 1 })
  const heard: string[] = []
  const { db, close } = connect({
    url: store.url,
    poolSize: 1,
    times: {
      statement: (name, seconds) => void heard.push(`${name} ${seconds > 0}`),
      connection: (seconds) => void heard.push(`connection ${seconds > 0}`),
    },
  })

  await readRunningJob(db, key)
  await rows(db, sql`select 1`)
  await db.transaction((tx) => readRunningJob(tx, key))
  await close()

  expect(heard).toEqual([
    'connection true',
    'readRunningJob true',
    'connection true',
    'connection true',
    'readRunningJob true',
  ])
})

it('a pool tells how many of its connections are in use, and how many wait for one', async () => {
  await using store = await openStore()
  const { db, use, close } = connect({ url: store.url, poolSize: 1 })

  const idle = use()
  const busy = await db.transaction(async () => {
    const waiting = rows(db, sql`select 1`)
    // The statement asks for its connection in the next turn.
    await new Promise(setImmediate)
    const seen = use()
    return { seen, waiting }
  })
  await busy.waiting
  await close()

  expect(idle).toEqual({ used: 0, waiting: 0 })
  expect(busy.seen).toEqual({ used: 1, waiting: 1 })
})
