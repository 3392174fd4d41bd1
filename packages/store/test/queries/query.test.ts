import { evaluate } from '@muster/query'
import { sql } from 'drizzle-orm'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { withinQueryTime } from '../../src/postgres/query-time.ts'
import type { Db } from '../../src/postgres/sql.ts'
import { insertIdentities } from '../../src/registry/identities.ts'
import { openSession } from '../../src/sessions/sessions.ts'
import { patchTwin } from '../../src/twins/twins.ts'
import { deviceId, draft, givenGateway, report } from '../fleet.ts'
import { noon, on, openStore } from '../jobs/engine.ts'
import { conditionsAbout, whereOf } from './conditions.ts'
import { ask, askPages, idsOf } from './queries.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
  await givenFleet()
})
afterAll(() => store[Symbol.asyncDispose]())

async function givenFleet(): Promise<void> {
  const thumbprints = { primaryKey: null, secondaryKey: null, primaryThumbprint: 'A1', secondaryThumbprint: null }
  await insertIdentities(
    db,
    [
      draft('b-pump', { tags: { site: 'north', floor: 3, "o'neil": { 'line-no': '7' } }, desired: { interval: 60 } }),
      draft('a-pump', { statusReason: 'in repair', status: 'disabled', tags: { site: 'south', floor: '3' } }),
      draft('Gate:1', { isEdge: true, authentication: { type: 'selfSigned', ...thumbprints } }),
    ],
    noon,
  )
  const gatewayId = await givenGateway(db, 'gateway-1')
  await openSession(db, { identity: deviceId('b-pump'), gatewayId, clean: true }, on('13:00:00'))
  await report(db, deviceId('b-pump'), { fw: '2.1', ok: true, net: { rssi: -70.5 } }, { now: on('14:00:00') })
  await patchTwin(db, deviceId('a-pump'), { desired: { mode: 'eco' } }, { etag: null }, on('15:00:00'))
}

describe('a query over devices', () => {
  it('Q29 gives all twins in ordinal order of their ids', async () => {
    const { items, continuation } = await ask(db, 'SELECT * FROM devices')

    expect(idsOf(items)).toEqual(['Gate:1', 'a-pump', 'b-pump'])
    expect(continuation).toBeNull()
  })

  it('selects by every member that a twin shows, as the reference evaluator does', async () => {
    const { items } = await ask(db, 'SELECT * FROM devices')
    const conditions = new Set(items.flatMap(conditionsAbout))

    for (const condition of conditions) {
      const selected = await ask(db, `SELECT * FROM devices WHERE ${condition}`)
      const expected = items.filter((twin) => evaluate(whereOf('devices', condition), twin))
      expect(idsOf(selected.items), condition).toEqual(idsOf(expected))
    }
  })

  it('gives what a select list names of each twin, page by page', async () => {
    const pages = await askPages(db, 'SELECT deviceId, tags.floor, status AS state FROM devices', 2)

    expect(pages).toEqual([
      [
        { deviceId: 'Gate:1', state: 'enabled' },
        { deviceId: 'a-pump', floor: '3', state: 'disabled' },
      ],
      [{ deviceId: 'b-pump', floor: 3, state: 'enabled' }],
    ])
  })

  it('Q29 goes on where a page ended, also when a device came or went meanwhile', async () => {
    const pages = await askPages(db, 'SELECT * FROM devices', 2, () =>
      insertIdentities(db, [draft('A-new'), draft('b-new')], noon),
    )

    expect(pages.map(idsOf)).toEqual([
      ['Gate:1', 'a-pump'],
      ['b-new', 'b-pump'],
    ])
  })

  it.each(['', 'a/b', 'a b', '2 a', 'ä'])('refuses %j, a position that no page gave', async (after) => {
    await expect(ask(db, 'SELECT * FROM devices', { after })).rejects.toMatchObject({ code: 'ArgumentInvalid' })
  })
})

describe('Q30 the time of a query', () => {
  afterEach(() => void vi.useRealTimers())

  it('is 10 seconds for a statement, which changes nothing and sees what the others of its page see', async () => {
    const settings = await withinQueryTime(db, (search) =>
      search(sql`
        select current_setting('statement_timeout') as time,
               current_setting('transaction_read_only') as is_read_only,
               current_setting('transaction_isolation') as isolation`),
    )
    const tooLong = withinQueryTime(db, async (search) => {
      await search(sql`set local statement_timeout = '20ms'`)
      return search(sql`select pg_sleep(60)`)
    })

    expect(settings).toEqual([{ time: '10s', is_read_only: 'on', isolation: 'repeatable read' }])
    await expect(tooLong).rejects.toMatchObject({ code: 'GatewayTimeout' })
  })

  it('is over after 10 seconds, however many statements there are to come', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    let statements = 0

    const endless = withinQueryTime(db, async (search) => {
      for (; ; statements += 1) {
        await search(sql`select 1`)
        vi.advanceTimersByTime(3_000)
      }
    })

    await expect(endless).rejects.toMatchObject({ code: 'GatewayTimeout' })
    expect(statements).toBe(4)
  })
})
