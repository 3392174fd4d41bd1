import { jsonText } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { type Db, rows } from '../../src/postgres/sql.ts'
import { claimed, givenRunningJob, noon, openStore, recordFirstAttempts } from './engine.ts'

it('J5 outcomes move the counters of a chunk without a write to its indexes, as long as it is open', async () => {
  await using store = await openStore()
  const { key } = await givenRunningJob(store.db, { devices: 50, chunkSize: 50 })
  const chunk = await claimed(store.db, key)

  const [before, after] = await store.db.transaction(async (tx) => {
    const before = await updatesOfChunks(tx)
    for (const deviceId of chunk.deviceIds.slice(0, 5)) {
      await recordFirstAttempts(tx, chunk, [{ deviceId, status: 'completed', response: jsonText({}) }], noon)
    }
    return [before, await updatesOfChunks(tx)]
  })

  expect(after).toEqual({ all: before.all + 5, withoutIndexes: before.withoutIndexes + 5 })
})

async function updatesOfChunks(tx: Db): Promise<{ readonly all: number; readonly withoutIndexes: number }> {
  const [updates] = await rows<{ all: number; withoutIndexes: number }>(
    tx,
    sql`
    select sum(n_tup_upd)::int as all, sum(n_tup_hot_upd)::int as "withoutIndexes"
      from pg_stat_xact_user_tables
     where relname like 'chunks_%'`,
  )
  if (updates === undefined) throw new TypeError('an aggregate without GROUP BY has a row')
  return updates
}
