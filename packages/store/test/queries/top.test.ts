import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Db } from '../../src/postgres/sql.ts'
import { insertIdentities } from '../../src/registry/identities.ts'
import { draft } from '../fleet.ts'
import { deviceNames, givenRunningJob, noon, openStore } from '../jobs/engine.ts'
import { ask, askPages, idsOf } from './queries.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

describe('TOP', () => {
  beforeEach(async () => {
    const drafts = deviceNames(9).map((id, index) => draft(id, { tags: { floor: index } }))
    await insertIdentities(db, drafts, noon)
  })

  it('ends the pages after so many rows', async () => {
    const pages = await askPages(db, 'SELECT TOP 5 * FROM devices', 2)

    expect(pages.map(idsOf)).toEqual([['device-0000', 'device-0001'], ['device-0002', 'device-0003'], ['device-0004']])
  })

  it.each([
    [3, 3],
    [4, 3],
    [20, 5],
  ])('%d, in pages of %d, leaves no page without rows behind', async (top, limit) => {
    const pages = await askPages(db, `SELECT TOP ${top} deviceId FROM devices`, limit)

    expect(pages.flat()).toHaveLength(Math.min(top, 9))
    expect(pages.at(-1)).not.toEqual([])
  })

  it('counts the rows of groups, too', async () => {
    const pages = await askPages(db, 'SELECT TOP 3 tags.floor, COUNT() AS n FROM devices GROUP BY tags.floor', 2)

    expect(pages).toEqual([
      [
        { floor: 0, n: 1 },
        { floor: 1, n: 1 },
      ],
      [{ floor: 2, n: 1 }],
    ])
  })

  it('counts the rows of device jobs, too', async () => {
    await givenRunningJob(db, { devices: 7 })

    const pages = await askPages(db, 'SELECT TOP 5 * FROM devices.jobs', 3)

    expect(pages.map(idsOf)).toEqual([
      ['device-0000', 'device-0001', 'device-0002'],
      ['device-0003', 'device-0004'],
    ])
  })

  it('counts what the pages gave, whatever comes meanwhile', async () => {
    const pages = await askPages(db, 'SELECT TOP 4 * FROM devices', 2, () =>
      insertIdentities(db, [draft('device-0001a'), draft('device-0000a')], noon),
    )

    expect(pages.map(idsOf)).toEqual([
      ['device-0000', 'device-0001'],
      ['device-0001a', 'device-0002'],
    ])
  })

  it.each(['device-0001', '0 device-0001', '-1 device-0001', '2 ', '2 a/b'])(
    'refuses %j, a position that no page of it gave',
    async (after) => {
      await expect(ask(db, 'SELECT TOP 5 * FROM devices', { after })).rejects.toMatchObject({ code: 'ArgumentInvalid' })
    },
  )
})
