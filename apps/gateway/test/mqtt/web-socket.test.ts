import { once } from 'node:events'
import { parseDeviceId } from '@muster/contract'
import { readProperties } from '@muster/store'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { connectDevice, desired, methods, refusalOf, responses } from '../device.ts'
import { openHub, type TestGateway, type TestHub } from '../hub.ts'

let hub: TestHub
let gateway: TestGateway
beforeAll(async () => {
  hub = await openHub()
  gateway = await hub.startGateway()
})
afterAll(() => hub[Symbol.asyncDispose]())

function overWebSocket(path = '/$iothub/websocket') {
  const { ca } = gateway.hub.front.tls
  return { protocol: 'wss', port: gateway.httpsPort, path, wsOptions: { ca } } as const
}

describe('MQTT over WebSocket', () => {
  it('G42 serves devices as over TLS, whatever query follows the path', async () => {
    const identity = await hub.addDevice('web')
    const path = '/$iothub/websocket?iothub-no-client-cert=true'
    const device = await connectDevice(gateway, identity, overWebSocket(path))

    const granted = await device.subscribe([responses, desired, methods], 1)
    await device.publish('$iothub/twin/PATCH/properties/reported/?$rid=1', '{"a":1}', 1)
    await device.take('$iothub/twin/res/204/?$rid=1&$version=2')

    expect(granted).toEqual([1, 1, 1])
    const properties = await readProperties(gateway.hub.db, parseDeviceId('web'))
    expect(properties?.reported).toEqual({ a: 1, $version: 2 })
    await device.end()
  })

  it.each(['/%24iothub/websocket', '/$iothub/websocket/', '/%24iothub/websocket/?x=1'])(
    'G42 finds the way in at %s too',
    async (path) => {
      const identity = await hub.addDevice(path.replaceAll(/\W/g, '-'))
      const device = await connectDevice(gateway, identity, overWebSocket(path))

      expect(await device.subscribe([responses])).toEqual([0])
      await device.end()
    },
  )

  it('G42 answers a bad token with a CONNACK too', async () => {
    const identity = await hub.addDevice('web-refused')

    expect(await refusalOf(gateway, identity, { ...overWebSocket(), password: 'secret' })).toBe(5)
  })

  it('G13 G42 cuts a device that sends a packet over 272 KB', async () => {
    const device = await connectDevice(gateway, await hub.addDevice('web-large'), overWebSocket())

    device.publish('devices/web-large/messages/events/', Buffer.alloc(273 * 1024), 1).catch(() => {})

    await device.closed
  })

  it.each([['AMQPWSB10'], []])('G42 refuses the subprotocol %s with 400', async (...subprotocols) => {
    const { ca } = gateway.hub.front.tls
    const url = `wss://localhost:${gateway.httpsPort}/$iothub/websocket`
    const webSocket = new WebSocket(url, subprotocols, { ca })
    webSocket.on('error', () => {})

    const [, response] = await once(webSocket, 'unexpected-response')

    expect(response.statusCode).toBe(400)
    webSocket.terminate()
  })
})
