import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Db, rows } from '../../src/postgres/sql.ts'
import { patchTwins } from '../../src/twins/sets.ts'
import { givenDevices, noon, openStore } from '../jobs/engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

const ids = Array.from({ length: 2_000 }, (_, n) => `device-${String(n).padStart(5, '0')}`)

/** Patches the desired properties of all, in one transaction. The share of the updates that wrote no index. */
async function patchAll(mode: string): Promise<number> {
  return db.transaction(async (tx) => {
    const before = await countUpdates(tx)
    await patchTwins(tx, ids, { desired: { mode, limits: { low: 1 } } }, noon)
    const after = await countUpdates(tx)
    return (after.hot - before.hot) / (after.all - before.all)
  })
}

/** Of this connection, since Postgres last took its figures. */
async function countUpdates(tx: Db): Promise<{ readonly all: number; readonly hot: number }> {
  const [counted] = await rows<{ all: number; hot: number }>(
    tx,
    sql`
    select pg_stat_get_xact_tuples_updated('twins'::regclass)::int as all,
           pg_stat_get_xact_tuples_hot_updated('twins'::regclass)::int as hot`,
  )
  if (counted === undefined) throw new Error('a select without a table has a row')
  return counted
}

it('a patch of desired properties writes no index, once twins have reached their size', async () => {
  await givenDevices(db, ids, { isReachable: false })
  for (const mode of ['first', 'second']) {
    await patchAll(mode)
    await db.execute(sql`vacuum twins`)
  }

  expect(await patchAll('last')).toBeGreaterThan(0.95)
})
