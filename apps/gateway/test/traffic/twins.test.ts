import { parseDeviceId, storedIdentity } from '@muster/contract'
import { deleteIdentity, readProperties } from '@muster/store'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectDevice, desired, responses } from '../device.ts'
import { openHub, type TestGateway, type TestHub } from '../hub.ts'

let hub: TestHub
let gateway: TestGateway
beforeAll(async () => {
  hub = await openHub()
  gateway = await hub.startGateway()
})
afterAll(() => hub[Symbol.asyncDispose]())

const get = '$iothub/twin/GET/?$rid='
const patch = '$iothub/twin/PATCH/properties/reported/?$rid='

async function connected(deviceId: string, filters = [responses, desired]) {
  const device = await connectDevice(gateway, await hub.addDevice(deviceId))
  await device.subscribe(filters)
  return device
}

describe('reading the twin', () => {
  it('G21 answers with desired and reported, each with its version, and echoes the request id', async () => {
    const device = await connected('reads')
    await hub.change('reads', { interval: 60 })

    await device.publish(`${get}4%2Fa%20b`, ' ')

    const answer = await device.take('$iothub/twin/res/')
    expect(answer.topic).toBe('$iothub/twin/res/200/?$rid=4%2Fa%20b')
    expect(JSON.parse(answer.payload)).toEqual({
      desired: { interval: 60, $version: 2 },
      reported: { $version: 1 },
    })
    await device.end()
  })

  it('G21 gives no answer to a device that is not subscribed to answers', async () => {
    const device = await connected('deaf', [desired])

    await device.publish(`${get}1`)
    await device.publish(`${patch}2`, '{"a":1}', 1)
    await eventually(async () => {
      const properties = await readProperties(gateway.hub.db, parseDeviceId('deaf'))
      expect(properties?.reported).toEqual({ a: 1, $version: 2 })
    })

    expect(device.messages).toEqual([])
    await device.end()
  })
})

describe('reporting properties', () => {
  it('G22 merges patches in the order in which they were sent, and says the new version', async () => {
    const device = await connected('reports')

    for (let n = 1; n <= 20; n++) void device.publish(`${patch}${n}`, JSON.stringify({ last: n, [`p${n}`]: n }), 1)
    const answers = []
    for (let n = 1; n <= 20; n++) answers.push((await device.take('$iothub/twin/res/')).topic)

    expect(answers).toEqual(answers.map((_, n) => `$iothub/twin/res/204/?$rid=${n + 1}&$version=${n + 2}`))
    const properties = await readProperties(gateway.hub.db, parseDeviceId('reports'))
    expect(properties?.reported).toMatchObject({ last: 20, p1: 1, p20: 20, $version: 21 })
    await device.end()
  })

  it('G22 removes what is null', async () => {
    const device = await connected('removes')

    await device.publish(`${patch}1`, '{"a":{"b":1,"c":2}}')
    await device.publish(`${patch}2`, '{"a":{"b":null}}')
    await device.take('$iothub/twin/res/204/?$rid=2')

    const properties = await readProperties(gateway.hub.db, parseDeviceId('removes'))
    expect(properties?.reported).toEqual({ a: { c: 2 }, $version: 3 })
    await device.end()
  })

  it.each([
    ['no JSON', '{', 400006],
    ['no UTF-8', Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d]), 400006],
    ['half a character', String.raw`{"a":"\ud800"}`, 400006],
    ['half a character under a key that comes twice', String.raw`{"a":"\ud800","a":1}`, 400006],
    ['no object', '[1]', 400006],
    ['null', 'null', 400006],
    ['a forbidden key', '{"a.b":1}', 400004],
    ['what nests too deep', '['.repeat(10_000) + ']'.repeat(10_000), 400006],
    [
      'over 32 KB',
      JSON.stringify(Object.fromEntries(Array.from({ length: 9 }, (_, n) => [n, 'x'.repeat(4000)]))),
      400004,
    ],
  ])(
    'G23 refuses %s with a body that has an errorCode, and the tracking id of a line in the log',
    async (name, payload, errorCode) => {
      const device = await connected(`bad-${name.replaceAll(' ', '-')}`)
      const logged: string[] = []
      const off = gateway.hub.events.on('requestRefused', ({ trackingId }) => logged.push(trackingId))

      await device.publish(`${patch}7`, payload)

      const answer = await device.take('$iothub/twin/res/400/?$rid=7')
      off()
      const [trackingId] = logged
      expect(JSON.parse(answer.payload)).toEqual({
        errorCode,
        trackingId,
        message: expect.any(String),
        timestampUtc: expect.stringMatching(/Z$/),
      })
      expect(trackingId).toMatch(/^[0-9a-f]{32}-G:0-TimeStamp:/)
      await device.end()
    },
  )

  it('G23 refuses a patch whose base version is another, or none', async () => {
    const device = await connected('based')

    await device.publish(`${patch}1&$version=1`, '{"a":1}')
    await device.publish(`${patch}2&$version=1`, '{"a":2}')
    await device.publish(`${patch}3&$version=x`, '{"a":3}')

    await device.take('$iothub/twin/res/204/?$rid=1&$version=2')
    expect(JSON.parse((await device.take('$iothub/twin/res/412/?$rid=2')).payload)).toMatchObject({ errorCode: 412001 })
    expect(JSON.parse((await device.take('$iothub/twin/res/400/?$rid=3')).payload)).toMatchObject({ errorCode: 400004 })
    await device.end()
  })

  it('G25 refuses the requests of a device that sends more than it waits for', async () => {
    const device = await connected('floods')

    const sent = Array.from({ length: 200 }, (_, n) => device.publish(`${get}${n}`))
    await Promise.all(sent)
    await eventually(() => expect(device.messages).toHaveLength(200))

    const statuses = new Set(device.messages.map(({ topic }) => topic.split('/')[3]))
    expect(statuses).toEqual(new Set(['200', '429']))
    await device.end()
  })
})

describe('a twin request that cannot be carried out', () => {
  it.each([
    ['device', 404001],
    ['module', 404010],
  ])('G23 is answered 404 when the %s is not registered any more', async (whose, errorCode) => {
    const ofDevice = await hub.addDevice(`gone-${whose}`)
    const identity = whose === 'module' ? await hub.addModule(ofDevice.identity, 'm') : ofDevice
    const device = await connectDevice(gateway, identity)
    await device.subscribe([responses])
    await deleteIdentity(gateway.hub.db, storedIdentity(identity.identity), null)

    await device.publish(`${get}1`)
    await device.publish(`${patch}2`, '{"a":1}')

    for (const rid of [1, 2]) {
      const { payload } = await device.take(`$iothub/twin/res/404/?$rid=${rid}`)
      expect(JSON.parse(payload)).toMatchObject({ errorCode, message: expect.stringContaining(identity.identity) })
    }
    await device.end()
  })

  it('G23 is answered 500 for a fault inside, without its text, and the device stays', async () => {
    const device = await connected('unlucky')
    const { db } = gateway.hub
    await db.execute('alter table twins rename to twins_away')

    await device.publish(`${get}1`)
    await device.publish(`${patch}2`, '{"a":1}')
    const answers = [await device.take('$iothub/twin/res/'), await device.take('$iothub/twin/res/')]
    await db.execute('alter table twins_away rename to twins')
    await device.publish(`${get}3`)

    expect(answers.map(({ topic }) => topic)).toEqual([1, 2].map((rid) => `$iothub/twin/res/500/?$rid=${rid}`))
    for (const { payload } of answers) {
      expect(JSON.parse(payload)).toMatchObject({ errorCode: 500001, message: 'The hub failed.' })
    }
    await device.take('$iothub/twin/res/200/?$rid=3')
    await device.end()
  })

  it('G23 is answered 503 when Postgres is lost, and the device stays', async () => {
    const device = await connected('cut-off')

    // Nobody reads the twin while this transaction lasts: so there is a statement to cut.
    await gateway.hub.db.transaction(async (tx) => {
      await tx.execute('lock table twins in access exclusive mode')
      await device.publish(`${get}1`)
      await eventually(async () => {
        const { rowCount } = await tx.execute(`
          select pg_terminate_backend(pid)
            from pg_locks
           where not granted
             and relation = 'twins'::regclass
             and database = (select oid from pg_database where datname = current_database())`)
        expect(rowCount).toBe(1)
      })
      const { payload } = await device.take('$iothub/twin/res/503/?$rid=1')
      expect(JSON.parse(payload)).toMatchObject({ errorCode: 503001 })
    })

    await device.publish(`${get}2`)
    await device.take('$iothub/twin/res/200/?$rid=2')
    await device.end()
  })
})
