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
