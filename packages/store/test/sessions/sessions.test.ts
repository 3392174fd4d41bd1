import { type DeviceId, type GatewayId, storedIdentity } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Db, rows } from '../../src/postgres/sql.ts'
import { deleteIdentities, deleteIdentity, readIdentity, updateIdentity } from '../../src/registry/identities.ts'
import { closeSessions, type HeardConnection, recordActivity } from '../../src/sessions/activity.ts'
import { closeSessionsOfDeadGateways } from '../../src/sessions/dead-gateways.ts'
import { heartbeat, removeGateway } from '../../src/sessions/gateways.ts'
import { findRoutes, openSession, openSessions, storeSubscriptions } from '../../src/sessions/sessions.ts'
import { readTwin } from '../../src/twins/twins.ts'
import { deviceId, draft, givenDevice, givenGateway } from '../fleet.ts'
import { noon, on, openStore } from '../jobs/engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

const methods = { topic: '$iothub/methods/POST/#', qos: 0 } as const

async function close(gatewayId: GatewayId, ended: HeardConnection, now = noon): Promise<void> {
  expect(await closeSessions(db, gatewayId, [ended], { waits: false }, now)).toEqual([])
}

describe('a session', () => {
  it('shows in the connection state when it opens and when it closes', async () => {
    const [id, gatewayId] = [await givenDevice(db, 'd1'), await givenGateway(db, 'g1')]

    const { connectionNo } = await openSession(db, { identity: id, gatewayId, clean: false }, on('13:00:00'))
    expect(await readIdentity(db, id)).toMatchObject({
      connectionState: 'Connected',
      connectionStateUpdatedTime: on('13:00:00'),
      lastActivityTime: on('13:00:00'),
    })

    await close(gatewayId, { identity: id, connectionNo, lastActivityAt: on('13:30:00') }, on('14:00:00'))
    expect(await readIdentity(db, id)).toMatchObject({
      connectionState: 'Disconnected',
      connectionStateUpdatedTime: on('14:00:00'),
      lastActivityTime: on('13:30:00'),
    })
  })

  it('names the gateway it is taken from, unless that is the same', async () => {
    const id = await givenDevice(db, 'd2')
    const [g1, g2] = [await givenGateway(db, 'g1'), await givenGateway(db, 'g2')]

    const first = await openSession(db, { identity: id, gatewayId: g1, clean: false }, noon)
    const second = await openSession(db, { identity: id, gatewayId: g1, clean: false }, noon)
    const third = await openSession(db, { identity: id, gatewayId: g2, clean: false }, noon)

    expect([first, second, third].map((session) => session.takenOver)).toEqual([null, null, 'g1'])
    const { connectionNo } = first
    expect([second, third].map((session) => session.connectionNo)).toEqual([connectionNo + 1, connectionNo + 2])
  })

  it('is told the one before it, however many gateways open it at once for the first time', async () => {
    const id = await givenDevice(db, 'd3')
    const gateways = await Promise.all(['r1', 'r2', 'r3', 'r4', 'r5'].map((name) => givenGateway(db, name)))

    const opened = await Promise.all(
      gateways.map((gatewayId) => openSession(db, { identity: id, gatewayId, clean: false }, noon)),
    )

    const numbers = opened.map((session) => session.connectionNo).toSorted((a, b) => a - b)
    expect(numbers.map((connectionNo) => connectionNo - (numbers[0] ?? 0))).toEqual([0, 1, 2, 3, 4])
    const routes = await rows<{ gateway_id: string }>(db, sql`select gateway_id from sessions where device_id = 'd3'`)
    const owners = [...opened.map((session) => session.takenOver), routes[0]?.gateway_id]
    expect(new Set(owners)).toEqual(new Set([null, ...gateways]))
  })

  it('ignores what an older connection still has to say', async () => {
    const [id, gatewayId] = [await givenDevice(db, 'd4'), await givenGateway(db, 'g1')]
    const old = await openSession(db, { identity: id, gatewayId, clean: false }, noon)
    await openSession(db, { identity: id, gatewayId, clean: false }, noon)

    const stale = { identity: id, gatewayId, connectionNo: old.connectionNo }

    await close(gatewayId, { ...stale, lastActivityAt: on('15:00:00') })
    expect(await storeSubscriptions(db, stale, [methods], true)).toBe(false)
    expect(await readIdentity(db, id)).toMatchObject({ connectionState: 'Connected', lastActivityTime: noon })
  })

  it('restores subscriptions and methods, and forgets them for a clean connection', async () => {
    const [id, gatewayId] = [await givenDevice(db, 'd5'), await givenGateway(db, 'g1')]
    const first = await openSession(db, { identity: id, gatewayId, clean: false }, noon)
    await storeSubscriptions(db, { identity: id, connectionNo: first.connectionNo }, [methods], true)
    await close(gatewayId, { identity: id, connectionNo: first.connectionNo, lastActivityAt: noon })

    const restored = await openSession(db, { identity: id, gatewayId, clean: false }, noon)
    expect(restored.subscriptions).toEqual([methods])
    expect(await findRoutes(db, ['d5'])).toMatchObject([{ identity: 'd5', status: 'enabled', gatewayId: 'g1' }])

    const clean = await openSession(db, { identity: id, gatewayId, clean: true }, noon)
    expect(clean.subscriptions).toEqual([])
    expect(await findRoutes(db, ['d5'])).toMatchObject([{ identity: 'd5', status: 'enabled', gatewayId: null }])
  })

  it('is resumed by a connection that is not clean after one that was not, with or without subscriptions', async () => {
    const [id, gatewayId] = [await givenDevice(db, 'd9'), await givenGateway(db, 'g1')]
    const isResumed = async (clean: boolean) => {
      return (await openSession(db, { identity: id, gatewayId, clean }, noon)).isResumed
    }

    const kept = [await isResumed(false), await isResumed(false)]
    const cleared = [await isResumed(true), await isResumed(true), await isResumed(false), await isResumed(false)]
    await deleteIdentities(db, [id])
    await givenDevice(db, 'd9')

    expect(kept).toEqual([false, true])
    expect(cleared).toEqual([false, false, false, true])
    expect(await isResumed(false)).toBe(false)
  })

  it('of a device that was created again is above all of its former self', async () => {
    const gatewayId = await givenGateway(db, 'g1')
    const open = () => openSession(db, { identity: deviceId('d7'), gatewayId, clean: false }, noon)
    await givenDevice(db, 'd7')
    for (const _ of [1, 2, 3]) await open()
    const { connectionNo: last } = await open()
    await deleteIdentities(db, ['d7'])
    await givenDevice(db, 'd7')

    expect((await open()).connectionNo).toBeGreaterThan(last)
  })

  it('tells the twin its model, and changes nothing else of it; without a word of one the twin keeps its own', async () => {
    const [id, gatewayId] = [await givenDevice(db, 'd8'), await givenGateway(db, 'g1')]
    const before = await readTwin(db, id)
    const modelAfter = async (said: { modelId?: string | null }) => {
      await openSession(db, { identity: id, gatewayId, clean: false, ...said }, noon)
      return (await readTwin(db, id))?.modelId
    }

    const first = await modelAfter({ modelId: 'dtmi:lamp;1' })
    const silent = await modelAfter({})
    const second = await modelAfter({ modelId: 'dtmi:lamp;2' })
    const after = await readTwin(db, id)

    expect([first, silent, second]).toEqual(['dtmi:lamp;1', 'dtmi:lamp;1', 'dtmi:lamp;2'])
    expect(after).toMatchObject({ etag: before?.etag, version: before?.version })
    expect(await modelAfter({ modelId: '' })).toBe('')
    expect(await modelAfter({ modelId: null })).toBe('')
  })

  it('is refused to a device that was deleted', async () => {
    const [id, gatewayId] = [await givenDevice(db, 'd6'), await givenGateway(db, 'g1')]
    await deleteIdentities(db, [id])

    await expect(openSession(db, { identity: id, gatewayId, clean: false }, noon)).rejects.toMatchObject({
      code: 'DeviceNotFound',
    })
  })
})

describe('sessions that open and close in sets', () => {
  it('open for those who were connected before and for those who were not, each with its own', async () => {
    const [before, gatewayId] = [await givenGateway(db, 'before'), await givenGateway(db, 'g1')]
    const [known, clean, fresh] = [
      await givenDevice(db, 'e1'),
      await givenDevice(db, 'e2'),
      await givenDevice(db, 'e3'),
    ]
    for (const identity of [known, clean]) {
      const { connectionNo } = await openSession(db, { identity, gatewayId: before, clean: false }, noon)
      await storeSubscriptions(db, { identity, connectionNo }, [methods], true)
    }

    const asked = [known, clean, fresh].map((identity) => ({ identity, clean: identity === clean }))
    const opened = await openSessions(db, gatewayId, asked, noon)

    const told = opened.map(({ identity, subscriptions, takenOver, isResumed }) => [
      identity,
      { subscriptions: subscriptions.length, takenOver, isResumed },
    ])
    expect(Object.fromEntries(told)).toEqual({
      e1: { subscriptions: 1, takenOver: 'before', isResumed: true },
      e2: { subscriptions: 0, takenOver: 'before', isResumed: false },
      e3: { subscriptions: 0, takenOver: null, isResumed: false },
    })
  })

  it('wait for none that somebody has locked or deleted', async () => {
    const gatewayId = await givenGateway(db, 'g1')
    const names = ['free', 'locked', 'locked-first', 'deleted', 'free-first'].map((name) => `set-${name}`)
    const [free, locked, lockedFirst, deleted, freeFirst] = await Promise.all(
      names.map((name) => givenDevice(db, name)),
    )
    if (!free || !locked || !lockedFirst || !deleted || !freeFirst) throw new Error('five devices were made')
    const first = await openSessions(db, gatewayId, [free, locked].map(connectionOf), noon)
    await deleteIdentities(db, [deleted])

    const { opened, left } = await db.transaction(async (tx) => {
      await rows(tx, sql`select from sessions where device_id = ${locked} for update`)
      await rows(tx, sql`select from devices where device_id = ${lockedFirst} for update`)
      const connections = [free, locked, lockedFirst, deleted, freeFirst].map(connectionOf)
      const ended = first.map((connection) => ({ ...connection, lastActivityAt: noon }))
      return {
        left: await closeSessions(db, gatewayId, ended, { waits: false }, noon),
        opened: await openSessions(db, gatewayId, connections, noon),
      }
    })

    expect(left).toEqual([locked])
    expect(opened.map(({ identity }) => identity).toSorted()).toEqual([free, freeFirst].toSorted())
  })

  it('open and close at the same time in any order, and none is the victim of a deadlock', async () => {
    const ids = await Promise.all(Array.from({ length: 100 }, (_, n) => givenDevice(db, `crowd-${n}`)))
    const gateways = await Promise.all(['c1', 'c2', 'c3'].map((name) => givenGateway(db, name)))
    const round = async (gatewayId: GatewayId, order: readonly DeviceId[]) => {
      const opened = await openSessions(db, gatewayId, order.map(connectionOf), noon)
      const ended = opened.map((connection) => ({ ...connection, lastActivityAt: noon }))
      await closeSessions(db, gatewayId, ended, { waits: true }, noon)
      return opened
    }

    const rounds = await Promise.all(
      [1, 2, 3, 4, 5].flatMap(() => gateways.map((gatewayId, n) => round(gatewayId, n === 1 ? ids.toReversed() : ids))),
    )

    // No number was given twice.
    const numbers = rounds.flat().map(({ identity, connectionNo }) => `${identity} ${connectionNo}`)
    expect(new Set(numbers).size).toBe(numbers.length)
  })
})

function connectionOf(identity: DeviceId) {
  return { identity, clean: false }
}

describe('activity', () => {
  it('moves the time of the gateway’s own devices, and never back', async () => {
    const [id, other] = [await givenDevice(db, 'active'), await givenDevice(db, 'elsewhere')]
    const [gatewayId, otherGateway] = [await givenGateway(db, 'g1'), await givenGateway(db, 'g2')]
    const { connectionNo } = await openSession(db, { identity: id, gatewayId, clean: false }, noon)
    const moved = await openSession(db, { identity: other, gatewayId: otherGateway, clean: false }, noon)
    const heard = { identity: id, connectionNo, lastActivityAt: on('13:00:00') }
    const elsewhere = { identity: other, connectionNo: moved.connectionNo, lastActivityAt: on('13:00:00') }

    expect(await recordActivity(db, gatewayId, [heard, elsewhere])).toBe(1)
    expect(await recordActivity(db, gatewayId, [{ ...heard, lastActivityAt: on('12:30:00') }])).toBe(0)

    expect(await readIdentity(db, id)).toMatchObject({ lastActivityTime: on('13:00:00') })
    expect(await readIdentity(db, other)).toMatchObject({ lastActivityTime: noon })
  })
})

describe('routes', () => {
  it('name the gateway of a device that takes methods, and say who is disabled, offline, not subscribed or unknown', async () => {
    const gatewayId = await givenGateway(db, 'g1')
    for (const id of ['r-ready', 'r-disabled', 'r-offline', 'r-deaf']) await givenDevice(db, id)
    for (const id of ['r-ready', 'r-disabled', 'r-deaf'].map(deviceId)) {
      const { connectionNo } = await openSession(db, { identity: id, gatewayId, clean: false }, noon)
      await storeSubscriptions(db, { identity: id, connectionNo }, [methods], id !== 'r-deaf')
    }
    await updateIdentity(db, draft('r-disabled', { status: 'disabled' }), { etag: null }, noon)

    const routes = await findRoutes(db, ['r-ready', 'r-disabled', 'r-offline', 'r-deaf', 'nobody'])

    expect(Object.fromEntries(routes.map((route) => [route.identity, [route.status, route.gatewayId]]))).toEqual({
      'r-ready': ['enabled', 'g1'],
      'r-disabled': ['disabled', 'g1'],
      'r-offline': ['enabled', null],
      'r-deaf': ['enabled', null],
    })
  })
})

describe('a gateway', () => {
  it('disconnects its devices when it stops, and no others', async () => {
    const [leaving, staying] = [await givenGateway(db, 'leaving'), await givenGateway(db, 'staying')]
    const [gone, kept] = [await givenDevice(db, 'gone'), await givenDevice(db, 'kept')]
    await openSession(db, { identity: gone, gatewayId: leaving, clean: false }, noon)
    await openSession(db, { identity: kept, gatewayId: staying, clean: false }, noon)

    expect(await removeGateway(db, leaving, on('13:00:00'))).toBe(1)

    expect(await readIdentity(db, gone)).toMatchObject({
      connectionState: 'Disconnected',
      connectionStateUpdatedTime: on('13:00:00'),
    })
    expect(await readIdentity(db, kept)).toMatchObject({ connectionState: 'Connected' })
  })

  it('that gives no sign of life, or is unknown, loses its devices to a sweep, so many at a time', async () => {
    await rows(db, sql`update sessions set gateway_id = null`)
    const [dead, alive] = [await givenGateway(db, 'dead'), await givenGateway(db, 'alive')]
    const unknown = await givenGateway(db, 'unknown')
    for (const [name, gatewayId] of [
      ['s1', dead],
      ['s2', dead],
      ['s3', unknown],
      ['s4', alive],
    ] as const) {
      await openSession(db, { identity: await givenDevice(db, name), gatewayId, clean: false }, noon)
    }
    await rows(db, sql`delete from gateways where gateway_id = 'unknown'`)
    await heartbeat(db, { gatewayId: alive, connections: 0 }, on('12:05:00'))
    const sweep = () => closeSessionsOfDeadGateways(db, { deadBefore: on('12:04:30'), limit: 2 }, on('12:05:00'))

    expect([await sweep(), await sweep(), await sweep()]).toEqual([2, 1, 0])

    const connected = await rows(db, sql`select device_id from sessions where gateway_id is not null`)
    expect(connected).toEqual([{ device_id: 's4' }])
    expect(await rows(db, sql`select gateway_id from gateways where gateway_id = 'dead'`)).toEqual([])
  })
})

describe('statements over many sessions', () => {
  const ids = Array.from({ length: 1_000 }, (_, n) => `crossing/${String(n).padStart(4, '0')}`)
  const some = ids.filter((_, n) => n % 20 === 0)

  /** Modules whose rows lie in the tables against the order of their keys: the ways through them by key and by table cross. */
  async function givenSessions(): Promise<GatewayId> {
    const gatewayId = await givenGateway(db, 'crossing')
    const names = sql`${sql.param(['crossing', ...ids].toReversed())}::text[]`
    await rows(db, sql`delete from devices where device_id = 'crossing'`)
    await rows(
      db,
      sql`
      insert into devices (device_id, generation_id, created_at)
      select name, 'g', ${noon.toISOString()} from unnest(${names}) as name`,
    )
    await rows(
      db,
      sql`
      insert into sessions (device_id, gateway_id, state_updated_at, last_activity_at)
      select name, ${gatewayId}, ${noon.toISOString()}, ${noon.toISOString()} from unnest(${names}) as name`,
    )
    await rows(db, sql`analyze devices, sessions`)
    return gatewayId
  }

  it.each<[string, (gatewayId: GatewayId) => Promise<unknown>]>([
    ['their gateway stops', (gatewayId) => removeGateway(db, gatewayId, noon)],
    ['the device is deleted with its modules', () => deleteIdentity(db, deviceId('crossing'), null)],
    ['the device is deleted with its modules, beside others', () => deleteIdentities(db, ['another', 'crossing'])],
    ['they are deleted themselves', () => deleteIdentities(db, ids)],
  ])('note activity while %s, and neither is the victim of a deadlock', async (_, change) => {
    for (let round = 1; round <= 10; round += 1) {
      const gatewayId = await givenSessions()
      let isChanged = false
      const noteActivity = async () => {
        for (let ms = 1; !isChanged; ms += 1) {
          const lastActivityAt = new Date(noon.getTime() + ms)
          await recordActivity(
            db,
            gatewayId,
            some.map((id) => ({ identity: storedIdentity(id), connectionNo: 0, lastActivityAt })),
          )
        }
      }
      const changing = change(gatewayId).finally(() => {
        isChanged = true
      })

      await Promise.all([changing, noteActivity()])
    }
  })
})
