import type { JsonObject } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Db, rows } from '../../src/postgres/sql.ts'
import { insertIdentities } from '../../src/registry/identities.ts'
import { openSession } from '../../src/sessions/sessions.ts'
import { deviceId, draft, givenGateway, givenModules } from '../fleet.ts'
import { noon, openStore } from '../jobs/engine.ts'
import { ask, askPages } from './queries.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())
beforeEach(async () => {
  await rows(db, sql`truncate devices cascade`)
})

async function givenTags(...tags: readonly JsonObject[]): Promise<void> {
  const drafts = tags.map((members, index) => draft(`device-${index}`, { tags: members }))
  await insertIdentities(db, drafts, noon)
}

describe('aggregates', () => {
  const ofFloors = `SELECT COUNT() AS n, COUNT(tags.floor) AS floors, SUM(tags.floor) AS sum, AVG(tags.floor) AS mean,
    MIN(tags.floor) AS low, MAX(tags.floor) AS high FROM devices`

  it('are one row over all that a condition selects', async () => {
    await givenTags({ floor: 1 }, { floor: 2.5 }, { floor: 'roof' }, {}, { floor: 9, spare: true })

    const { items, continuation } = await ask(db, `${ofFloors} WHERE NOT is_defined(tags.spare)`)

    expect(items).toEqual([{ n: 4, floors: 3, sum: 3.5, mean: 1.75, low: 1, high: 2.5 }])
    expect(continuation).toBeNull()
  })

  it('are one row over nothing', async () => {
    expect((await ask(db, ofFloors)).items).toEqual([{ n: 0, floors: 0, sum: 0 }])
  })

  it('read members of every table', async () => {
    await givenTags({}, {}, {})
    const gatewayId = await givenGateway(db, 'gateway-1')
    await openSession(db, { identity: deviceId('device-1'), gatewayId, clean: true }, noon)

    const { items } = await ask(
      db,
      'SELECT status, connectionState, MAX(lastActivityTime) AS latest, COUNT() AS n FROM devices GROUP BY status, connectionState',
    )

    expect(items).toEqual([
      { status: 'enabled', connectionState: 'Connected', latest: '2026-03-02T12:00:00.000Z', n: 1 },
      { status: 'enabled', connectionState: 'Disconnected', latest: '0001-01-01T00:00:00Z', n: 2 },
    ])
  })

  it('count modules among modules alone', async () => {
    await givenTags({ floor: 1 }, { floor: 2 })
    await givenModules(db, { 'device-0/a': { tags: { floor: 7 } }, 'device-0/b': { tags: { floor: 8 } } })

    const modules = await ask(db, 'SELECT deviceId, SUM(tags.floor) AS s FROM devices.modules GROUP BY deviceId')

    expect(modules.items).toEqual([{ deviceId: 'device-0', s: 15 }])
    expect((await ask(db, 'SELECT SUM(tags.floor) AS s FROM devices')).items).toEqual([{ s: 3 }])
  })
})

describe('groups', () => {
  const bySite = 'SELECT tags.site, COUNT() AS n FROM devices GROUP BY tags.site'

  it('keep apart what is of another type, null and not there', async () => {
    await givenTags({ site: 1 }, { site: '1' }, { site: null }, {}, { site: true }, { site: {} }, { site: [1] }, {})

    const pages = await askPages(db, bySite, 3)

    expect(pages.map((page) => page.length)).toEqual([3, 3, 1])
    expect(new Set(pages.flat())).toEqual(
      new Set([
        { site: 1, n: 1 },
        { site: '1', n: 1 },
        { site: null, n: 1 },
        { n: 2 },
        { site: true, n: 1 },
        { site: {}, n: 1 },
        { site: [1], n: 1 },
      ]),
    )
  })

  it('come in the same order, however they are paged', async () => {
    const sites = ['b', 'a', 'ä', '', 'B', 'a b', 10, 9, -1]
    await givenTags(...sites.map((site) => ({ site })), {})
    const whole = await ask(db, bySite)

    for (const limit of [1, 2, 9, 10]) expect((await askPages(db, bySite, limit)).flat()).toEqual(whole.items)
    expect(whole.items).toHaveLength(10)
  })

  it('may be of long objects that begin alike', async () => {
    const long = (end: string) => ({ a: 'x'.repeat(3000), b: { c: 'y'.repeat(3000), end } })
    const ends = ['one', 'two', 'three', 'four', 'five']
    await givenTags(...ends.map((end) => ({ site: long(end) })), { site: long('one') })

    const pages = await askPages(db, bySite, 2)

    const counted = pages.flat().map((row) => [JSON.stringify(row.site), row.n])
    expect(new Map(counted as [string, number][])).toEqual(
      new Map(ends.map((end) => [JSON.stringify(long(end)), end === 'one' ? 2 : 1])),
    )
    expect(pages.flat()).toHaveLength(5)
  })

  it('have positions that fit into a header', async () => {
    await givenTags({ site: { a: 'x'.repeat(6000), n: 1 } }, { site: { a: 'x'.repeat(6000), n: 2 } })

    const { continuation } = await ask(db, bySite, { limit: 1 })

    expect(continuation?.length).toBeLessThan(1000)
  })

  it('neither come twice nor are left out when others come or go between two pages', async () => {
    await givenTags({ site: 'b' }, { site: 'd' }, { site: 'f' }, { site: 'h' })

    const pages = await askPages(db, bySite, 2, () =>
      insertIdentities(db, [draft('new-1', { tags: { site: 'a' } }), draft('new-2', { tags: { site: 'e' } })], noon),
    )

    expect(pages.map((page) => page.map(({ site }) => site))).toEqual([['b', 'd'], ['e', 'f'], ['h']])
  })

  it('can be of several keys', async () => {
    await givenTags({ site: 'a', floor: 1 }, { site: 'a', floor: 2 }, { site: 'b', floor: 1 }, { site: 'a', floor: 1 })

    const pages = await askPages(
      db,
      'SELECT COUNT() AS n, tags.floor, tags.site FROM devices GROUP BY tags.site, tags.floor',
      1,
    )

    expect(pages.flat()).toEqual([
      { n: 2, floor: 1, site: 'a' },
      { n: 1, floor: 2, site: 'a' },
      { n: 1, floor: 1, site: 'b' },
    ])
  })

  it.each([
    ['what is told of them', 'tags.n, MAX(tags.text) AS text', 'tags.n'],
    ['their keys', 'tags.n, tags.text', 'tags.n, tags.text'],
    ['what is shown of their keys', `tags.n, ${tenTimes('tags.key')}`, 'tags.n, tags.key'],
  ])('Q31 have pages of 4 MiB, and each group once, however large: %s', async (_, items, keys) => {
    const numbers = Array.from({ length: 50 }, (_, n) => n)
    await givenTags(...numbers.map((n) => ({ n })))
    await rows(
      db,
      sql`
      update twins
         set tags = tags || jsonb_build_object('key', repeat('x', 10000), 'text', repeat('x', 100000))`,
    )

    const pages = await askPages(db, `SELECT ${items} FROM devices GROUP BY ${keys}`, 1000)

    expect(pages.map(({ length }) => length)).toEqual([42, 8])
    expect(new Set(pages.flat().map(({ n }) => n))).toEqual(new Set(numbers))
  })

  it.each(['', 'device-0', '{'])('refuse %j, a position that no page gave', async (after) => {
    await expect(ask(db, bySite, { after })).rejects.toMatchObject({ code: 'ArgumentInvalid' })
  })
})

function tenTimes(path: string): string {
  return Array.from({ length: 10 }, (_, n) => `${path} AS shown${n}`).join()
}
