import { once } from 'node:events'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectDevice, refusalOf, responses } from '../device.ts'
import { openHub, type TestGateway, type TestHub } from '../hub.ts'
import { connack, connectPacket, openRaw } from '../raw.ts'

let hub: TestHub
let gateway: TestGateway
beforeAll(async () => {
  hub = await openHub()
  gateway = await hub.startGateway()
})
afterAll(() => hub[Symbol.asyncDispose]())

describe('a device that comes at a bad time', () => {
  it('G2 is refused with 3 when the hub cannot decide within ten seconds, and leaves nothing behind', async () => {
    const { db } = gateway.hub
    const device = await hub.addDevice('too-slow')
    await (await connectDevice(gateway, device)).end()
    const sessionAfter = async (connectionNo: string) => {
      const { rows } = await db.execute<{ no: string; gateway: string | null }>(`
        select connection_no as no, gateway_id as gateway
          from sessions
         where device_id = 'too-slow' and connection_no > ${connectionNo}`)
      return rows[0]
    }
    const before = (await sessionAfter('0'))?.no ?? '0'

    const { next } = await db.transaction(async (tx) => {
      await tx.execute('lock table sessions in access exclusive mode')
      expect(await refusalOf(gateway, device)).toBe(3)
      return { next: connectDevice(gateway, device) }
    })

    // What was begun for it comes to its end now, before what the next one begins.
    const connected = await next
    expect(await sessionAfter(before)).toMatchObject({ gateway: expect.any(String) })
    await connected.end()
    await eventually(async () => expect(await sessionAfter(before)).toMatchObject({ gateway: null }))
  })

  it('G58 is refused with 3 at once when many before it have waited in vain, and those leave nothing behind', async () => {
    const other = await hub.startGateway()
    const device = await hub.addDevice('in-line')
    const reasons: string[] = []
    other.hub.events.on('connectionRefused', ({ reason }) => reasons.push(reason))
    const answerTo = async () => {
      const client = openRaw(other)
      await once(client.stream, 'secureConnect')
      client.send(connectPacket(device))
      await client.closed
      return client.receive(1)
    }

    await gateway.hub.db.transaction(async (tx) => {
      await tx.execute('lock table devices in access exclusive mode')
      const answers = await Promise.all(Array.from({ length: 150 }, answerTo))
      expect(answers).toEqual(answers.map(() => [connack(3)]))
      expect(await answerTo()).toEqual([connack(3)])
    })

    expect(new Set(reasons.slice(0, 150))).toEqual(new Set(['timeout']))
    expect(reasons.slice(150)).toEqual(['busy'])
    const connected = await connectDevice(other, device)
    // A session of one of those would be there.
    expect(connected.sessionPresent).toBe(false)
    await connected.end()
    await other.stop()
  })

  it('G2 is refused with 3 while the hub stops', async () => {
    const other = await hub.startGateway()
    const late = await hub.addDevice('too-late')
    const device = await connectDevice(other, await hub.addDevice('last'))
    await device.subscribe([responses])
    const client = openRaw(other)
    await once(client.stream, 'secureConnect')

    // What a device has asked for is waited for, and this is not to be had before the end of the transaction.
    const stopped = await gateway.hub.db.transaction(async (tx) => {
      await tx.execute('lock table twins in access exclusive mode')
      await device.publish('$iothub/twin/GET/?$rid=1')
      await eventually(async () => {
        const { rowCount } = await tx.execute(`
          select
            from pg_locks
           where not granted
             and relation = 'twins'::regclass
             and database = (select oid from pg_database where datname = current_database())`)
        expect(rowCount).toBe(1)
      })
      const stopping = other.stop()
      client.send(connectPacket(late))
      expect(await client.receive(1)).toEqual([connack(3)])
      return { stopping }
    })

    await stopped.stopping
    await client.closed
  })
})
