import { deleteIdentity, insertIdentities, readProperties } from '@muster/store'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectDevice, nextEnd, responses, type TestDevice, type TestIdentity } from '../device.ts'
import { openHub, type TestGateway, type TestHub } from '../hub.ts'

let hub: TestHub
let gateway: TestGateway
beforeAll(async () => {
  hub = await openHub()
  gateway = await hub.startGateway()
})
afterAll(() => hub[Symbol.asyncDispose]())

const patch = '$iothub/twin/PATCH/properties/reported/?$rid='

async function connected(to: TestGateway, identity: TestIdentity): Promise<TestDevice> {
  const device = await connectDevice(to, identity)
  await device.subscribe([responses])
  return device
}

/** Reports so often that all but the first wait in the gateway, and the first in Postgres: to be called while the twin is locked. */
async function reportWaiting(device: TestDevice, times: number): Promise<void> {
  const numbers = Array.from({ length: times }, (_, n) => n)
  await Promise.all(
    numbers.map((n) => device.publish(`${patch}${n}`, JSON.stringify({ by: 'former', [`n${n}`]: n }), 1)),
  )
  await eventually(async () => {
    // Not in the transaction that holds the lock: in one, Postgres shows no connection that was opened since it was first asked.
    const { rowCount } = await gateway.hub.db.execute(`
      select
        from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock' and query like '%"twins"%for no key update%'`)
    expect(rowCount).toBe(1)
  })
}

function whileTwinsAreLocked<Result>(work: () => Promise<Result>): Promise<Result> {
  return gateway.hub.db.transaction(async (tx) => {
    await tx.execute('select from twins for update')
    return work()
  })
}

async function reportedBy({ identity }: TestIdentity) {
  return (await readProperties(gateway.hub.db, (await hub.read(identity)).identity))?.reported
}

describe('what a connection reported and the hub has not done yet', () => {
  it.each(['the same gateway', 'another gateway'])(
    'G28 is dropped when a newer connection has been opened, on %s',
    async (where) => {
      const identity = await hub.addDevice(where.replaceAll(' ', '-'))
      const first = await hub.startGateway()
      const former = await connected(first, identity)
      const ended = nextEnd(first, identity.identity)

      const newer = await whileTwinsAreLocked(async () => {
        await reportWaiting(former, 20)
        return connectDevice(where === 'the same gateway' ? first : gateway, identity)
      })
      await newer.publish(`${patch}new`, '{"by":"newer"}')
      await newer.take('$iothub/twin/res/204/?$rid=new')
      await former.closed

      expect(await ended).toBe('takeover')
      // What still waits is done or dropped before it has stopped.
      await first.stop()
      expect(await reportedBy(identity)).toEqual({ by: 'newer', $version: 2 })
      await newer.end('drop')
    },
  )

  it('G28 is dropped when the device is disabled, but for what is under way', async () => {
    const identity = await hub.addDevice('disabled')
    const first = await hub.startGateway()
    const device = await connected(first, identity)

    await whileTwinsAreLocked(async () => {
      await reportWaiting(device, 20)
      await hub.setStatus('disabled', 'disabled')
      await device.closed
    })
    await first.stop()

    expect(await reportedBy(identity)).toEqual({ by: 'former', n0: 0, $version: 2 })
  })

  it('G28 is dropped when the device has been made anew, though the word of its deletion was lost', async () => {
    const identity = await hub.addDevice('anew')
    const former = await connected(gateway, identity)

    await gateway.hub.db.transaction(async (tx) => {
      await deleteIdentity(tx, identity.identity, null)
      await insertIdentities(tx, [identity], new Date())
      await reportWaiting(former, 20)
    })
    await former.closed

    expect(await reportedBy(identity)).toEqual({ $version: 1 })
  })

  it.each(['disconnect', 'drop'] as const)(
    'G28 is done before the device is back on the same gateway, after a %s',
    async (how) => {
      const identity = await hub.addDevice(`left-by-${how}`)
      const former = await connected(gateway, identity)
      const ended = nextEnd(gateway, identity.identity)

      const { connecting } = await whileTwinsAreLocked(async () => {
        await reportWaiting(former, 20)
        await former.end(how)
        await ended
        return { connecting: connectDevice(gateway, identity) }
      })
      const back = await connecting
      await back.publish(`${patch}new`, '{"by":"newer"}')

      await back.take('$iothub/twin/res/204/?$rid=new&$version=22')
      expect(await reportedBy(identity)).toMatchObject({ by: 'newer', n0: 0, n19: 19 })
      await back.end()
    },
  )

  it('G28 is waited for no longer than five seconds, and dropped then', async () => {
    const identity = await hub.addDevice('late')
    const first = await hub.startGateway()
    const former = await connected(first, identity)
    const ended = nextEnd(first, identity.identity)

    const back = await whileTwinsAreLocked(async () => {
      await reportWaiting(former, 20)
      await former.end()
      await ended
      return connectDevice(first, identity)
    })
    await back.publish(`${patch}new`, '{"by":"newer"}')
    await back.take('$iothub/twin/res/204/?$rid=new')
    await first.stop()

    expect(await reportedBy(identity)).toEqual({ by: 'newer', $version: 2 })
  })

  it('G28 G43 is done before the gateway has stopped', async () => {
    const identity = await hub.addDevice('last-words')
    const first = await hub.startGateway()
    const device = await connected(first, identity)
    const ended = nextEnd(first, identity.identity)

    const { stopping } = await whileTwinsAreLocked(async () => {
      await reportWaiting(device, 20)
      await device.end()
      await ended
      return { stopping: first.stop() }
    })
    await stopping

    expect(await reportedBy(identity)).toMatchObject({ n0: 0, n19: 19, $version: 21 })
  })
})
