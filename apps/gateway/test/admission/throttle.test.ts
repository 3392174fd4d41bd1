import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectDevice, refusalOf, responses } from '../device.ts'
import { openHub, type TestGateway, type TestHub } from '../hub.ts'

let hub: TestHub
let gateway: TestGateway
beforeAll(async () => {
  hub = await openHub()
  gateway = await hub.startGateway({
    MUSTER_THROTTLE: '{"newConnections":"2/min","twinReads":"1/min","twinUpdates":"1/min"}',
  })
})
afterAll(() => hub[Symbol.asyncDispose]())

describe('a rate that is used up', () => {
  it('G55 refuses a connection with 3, and twin requests with 429; who has no token uses up nothing', async () => {
    const identity = await hub.addDevice('fast')
    expect(await refusalOf(gateway, identity, { password: 'secret' })).toBe(5)
    expect(await refusalOf(gateway, identity, { password: 'secret' })).toBe(5)

    const device = await connectDevice(gateway, identity)
    await device.subscribe([responses])
    for (const rid of [1, 2]) {
      await device.publish(`$iothub/twin/GET/?$rid=get-${rid}`)
      await device.publish(`$iothub/twin/PATCH/properties/reported/?$rid=patch-${rid}`, '{"a":1}')
    }

    await device.take('$iothub/twin/res/200/?$rid=get-1')
    await device.take('$iothub/twin/res/204/?$rid=patch-1')
    for (const rid of ['get-2', 'patch-2']) {
      const { payload } = await device.take(`$iothub/twin/res/429/?$rid=${rid}`)
      expect(JSON.parse(payload)).toMatchObject({ errorCode: 429001, message: expect.any(String) })
    }
    await (await connectDevice(gateway, await hub.addDevice('second'))).end()
    expect(await refusalOf(gateway, await hub.addDevice('third'))).toBe(3)
    await device.publish('devices/fast/messages/events/', 'still here', 1)
    await device.end()
  })
})
