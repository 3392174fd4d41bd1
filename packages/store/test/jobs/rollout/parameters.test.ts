import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { rows } from '../../../src/postgres/sql.ts'
import { deviceNames, givenJob, openStore, start } from '../engine.ts'

it('R99 a job with parameters has 100 devices in a chunk at most', async () => {
  await using store = await openStore()
  const { db } = store
  const request = { type: 'scheduleUpdateTwin', body: { etag: '*', tags: {} }, devices: deviceNames(150) } as const
  const plain = await givenJob(db, request)
  const resolved = await givenJob(db, { ...request, extensions: { parameters: {} } })

  for (const { key } of [plain, resolved]) await start(db, key, { chunkSize: 1_000 })

  const chunks = ({ key }: typeof plain) =>
    rows(db, sql`select device_count from chunks where job_key = ${key} order by chunk_no`)
  expect(await chunks(plain)).toEqual([{ device_count: 150 }])
  expect(await chunks(resolved)).toEqual([{ device_count: 100 }, { device_count: 50 }])
})
