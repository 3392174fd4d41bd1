import { clockGraceMs } from '@muster/auth'
import type { CallResult } from '@muster/bus'
import { jsonText } from '@muster/contract'
import { findRoutes } from '@muster/store'
import { eventually } from '@muster/testkit'
import type { IClientOptions } from 'mqtt'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { callAll } from './call-all.ts'
import { connectDevice, desired, methods, refusalOf, responses, type TestDevice, tokenOf } from './device.ts'
import { openHub, type TestGateway, type TestHub } from './hub.ts'

let hub: TestHub
let gateway: TestGateway
beforeAll(async () => {
  hub = await openHub()
  gateway = await hub.startGateway()
})
afterAll(() => hub[Symbol.asyncDispose]())

type Transport = 'TLS' | 'WebSocket'

function over(transport: Transport): IClientOptions {
  if (transport === 'TLS') return {}
  const { ca } = gateway.hub.front.tls
  return { protocol: 'wss', port: gateway.httpsPort, path: '/$iothub/websocket', wsOptions: { ca } }
}

async function call(deviceId: string): Promise<CallResult | undefined> {
  const [route] = await findRoutes(gateway.hub.db, [deviceId])
  // As the API does: who is in no session is not asked.
  if (route?.gatewayId == null) return { identity: deviceId, kind: 'notOnline' }
  const method = { methodName: 'ping', payload: jsonText(null), responseTimeoutSeconds: 30 }
  const results = await callAll(gateway.hub.bus, { gatewayId: route.gatewayId, identities: [deviceId], ...method })
  return results[0]
}

async function answerMethod(device: TestDevice) {
  const { topic } = await device.take('$iothub/methods/POST/ping/?$rid=')
  await device.publish(`$iothub/methods/res/200/?$rid=${topic.split('$rid=')[1]}`, '{"pong":true}', 1)
}

describe.each(['TLS', 'WebSocket'] as const)('what a device may rely on, over %s', (transport) => {
  const id = (step: string) => `${transport}-${step}`

  it('steps 1 to 7, 13 and 15: a session of twins and methods that outlives its connection', async () => {
    const identity = await hub.addDevice(id('session'))
    const { identity: deviceId } = identity
    const device = await connectDevice(gateway, identity, over(transport))
    expect(device.sessionPresent).toBe(false)
    expect(await device.subscribe([responses, desired, methods], 1)).toEqual([1, 1, 1])

    await device.publish('$iothub/twin/GET/?$rid=get', ' ')
    const read = await device.take('$iothub/twin/res/200/?$rid=get')
    expect(JSON.parse(read.payload)).toEqual({ desired: { $version: 1 }, reported: { $version: 1 } })

    await device.publish('$iothub/twin/PATCH/properties/reported/?$rid=patch', '{"a":1}', 1)
    const patched = await device.take('$iothub/twin/res/')
    expect(patched).toEqual({ topic: '$iothub/twin/res/204/?$rid=patch&$version=2', payload: '' })

    await hub.change(deviceId, { x: 1, y: null })
    const told = await device.take('$iothub/twin/PATCH/properties/desired/?$version=2')
    expect(JSON.parse(told.payload)).toEqual({ x: 1, y: null, $version: 2 })

    const [answered] = await Promise.all([call(deviceId), answerMethod(device)])
    expect(answered).toEqual({ identity: deviceId, kind: 'answered', status: 200, payload: '{"pong":true}' })

    await device.end('drop')
    await eventually(async () => expect(await call(deviceId)).toEqual({ identity: deviceId, kind: 'notOnline' }))
    const back = await connectDevice(gateway, identity, over(transport))
    expect(back.sessionPresent).toBe(true)
    await hub.change(deviceId, { x: 2 })
    await back.take('$iothub/twin/PATCH/properties/desired/?$version=3')
    const [again] = await Promise.all([call(deviceId), answerMethod(back)])
    expect(again?.kind).toBe('answered')
    await back.end()
  })

  it('step 8: the second connection of an identity closes the first', async () => {
    const identity = await hub.addDevice(id('twice'))

    const first = await connectDevice(gateway, identity, over(transport))
    const second = await connectDevice(gateway, identity, over(transport))

    await first.closed
    expect(second.client.connected).toBe(true)
    await second.end()
  })

  it('step 9: a publication at QoS 2 closes the connection', async () => {
    const identity = await hub.addDevice(id('qos-2'))
    const device = await connectDevice(gateway, identity, over(transport))

    device.publish(`devices/${identity.identity}/messages/events/`, 'x', 2).catch(() => {})

    await device.closed
  })

  it('step 10: a filter that is not in the contract is refused, and the connection stays', async () => {
    const identity = await hub.addDevice(id('filter'))
    const device = await connectDevice(gateway, identity, over(transport))

    expect(await device.subscribe(['foo/#'])).toEqual([0x80])
    await device.publish(`devices/${identity.identity}/messages/events/`, 'still here', 1)
    await device.end()
  })

  it('step 11: a token that has expired is refused with 5', async () => {
    const identity = await hub.addDevice(id('expired'))
    const password = tokenOf(identity, new Date(Date.now() - clockGraceMs - 5_000))

    expect(await refusalOf(gateway, identity, { ...over(transport), password })).toBe(5)
  })

  it('step 12: disabling a device closes its connection, and it is refused with 5', async () => {
    const identity = await hub.addDevice(id('disabled'))
    const device = await connectDevice(gateway, identity, over(transport))

    await hub.setStatus(identity.identity, 'disabled')

    await device.closed
    expect(await refusalOf(gateway, identity, over(transport))).toBe(5)
  })

  it('step 14: a reported patch of 33 KB is answered 400 with an errorCode', async () => {
    const identity = await hub.addDevice(id('large'))
    const device = await connectDevice(gateway, identity, over(transport))
    await device.subscribe([responses], 1)
    const members = Array.from({ length: 33 }, (_, n) => [`p${n}`, 'x'.repeat(1_024)])

    await device.publish('$iothub/twin/PATCH/properties/reported/?$rid=1', JSON.stringify(Object.fromEntries(members)))

    const { payload } = await device.take('$iothub/twin/res/400/?$rid=1')
    expect(JSON.parse(payload)).toMatchObject({ errorCode: 400004, message: expect.any(String) })
    await device.end()
  })
})
