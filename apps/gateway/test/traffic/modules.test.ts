import { signSasToken } from '@muster/auth'
import { jsonText } from '@muster/contract'
import { findRoutes } from '@muster/store'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { callAll } from '../call-all.ts'
import { connectDevice, desired, methods, refusalOf, responses, tokenOf } from '../device.ts'
import { devicePolicyKey, openHub, type TestGateway, type TestHub } from '../hub.ts'

let hub: TestHub
let gateway: TestGateway
beforeAll(async () => {
  // What happens every half minute is stepped by hand.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  hub = await openHub()
  gateway = await hub.startGateway()
})
afterAll(async () => {
  vi.useRealTimers()
  await hub[Symbol.asyncDispose]()
})

async function registered(deviceId: string) {
  return { device: await hub.addDevice(deviceId), module: await hub.addModule(deviceId, 'm') }
}

async function call(identity: string) {
  const [route] = await findRoutes(gateway.hub.db, [identity])
  if (route?.gatewayId == null) throw new Error(`${identity} takes no methods`)
  const method = { methodName: 'reboot', payload: jsonText(1), responseTimeoutSeconds: 30 }
  return callAll(gateway.hub.bus, { gatewayId: route.gatewayId, identities: [identity], ...method })
}

describe('a module', () => {
  it('G50 connects with its own keys or by a policy, and with nothing else', async () => {
    const { device, module } = await registered('keys')
    const ofDevice = { ...module, authentication: device.authentication }
    const ofModule = { ...device, authentication: module.authentication }
    const asModule = { password: tokenOf(module) }
    const expiresAt = new Date(Date.now() + 60_000)
    const signed = { resource: 'localhost/devices', key: devicePolicyKey, expiresAt, policyName: 'device' }

    expect(await refusalOf(gateway, ofDevice)).toBe(5)
    expect(await refusalOf(gateway, ofModule)).toBe(5)
    expect(await refusalOf(gateway, device, asModule)).toBe(5)
    expect(await refusalOf(gateway, module, { clientId: 'keys' })).toBe(2)
    for (const password of [tokenOf(module), signSasToken(signed)]) {
      const connected = await connectDevice(gateway, module, { password })
      expect((await hub.read('keys/m')).connectionState).toBe('Connected')
      expect((await hub.read('keys')).connectionState).toBe('Disconnected')
      await connected.end()
    }
  })

  it('G50 that is not registered is refused, and so is one of a device that is disabled', async () => {
    const { device, module } = await registered('off')
    const unknown = { ...module, identity: `${device.identity}/other` as typeof module.identity }

    expect(await refusalOf(gateway, unknown)).toBe(5)
    await hub.setStatus('off', 'disabled')
    expect(await refusalOf(gateway, module)).toBe(5)
    await hub.setStatus('off', 'enabled')
    await hub.setStatus('off/m', 'disabled')
    expect(await refusalOf(gateway, module)).toBe(5)
  })

  it('G51 stands beside its device, each with its own session, and takes over only its own connection', async () => {
    const { device, module } = await registered('beside')
    const first = await connectDevice(gateway, module)
    await first.subscribe([responses, desired, methods])
    const ofDevice = await connectDevice(gateway, device)

    const second = await connectDevice(gateway, module)
    await first.closed
    await ofDevice.publish('devices/beside/messages/events/', 'still here', 1)

    expect([ofDevice.sessionPresent, second.sessionPresent]).toEqual([false, true])
    await Promise.all([ofDevice.end(), second.end()])
  })

  it.each(['?x=1', 'api-version=1', 'api-version=2021-04-12'])(
    'G50 connects as %s, which is an id',
    async (moduleId) => {
      await hub.addDevice(`odd${moduleId}`)
      const module = await hub.addModule(`odd${moduleId}`, moduleId)

      const connected = await connectDevice(gateway, module)
      await connected.publish(`devices/odd${moduleId}/modules/${moduleId}/messages/events/`, '21.5', 1)

      expect((await hub.read(module.identity)).connectionState).toBe('Connected')
      await connected.end()
    },
  )

  it('G51 has its own twin: reads, reports, and is told of changes', async () => {
    const { device, module } = await registered('twins')
    const ofDevice = await connectDevice(gateway, device)
    const ofModule = await connectDevice(gateway, module)
    await ofDevice.subscribe([responses, desired])
    await ofModule.subscribe([responses, desired])

    await hub.change('twins/m', { x: 1, y: null })
    await ofModule.publish('$iothub/twin/PATCH/properties/reported/?$rid=1', '{"a":1}', 1)
    await ofModule.publish('$iothub/twin/GET/?$rid=2', ' ')

    const told = await ofModule.take('$iothub/twin/PATCH/properties/desired/?$version=2')
    expect(JSON.parse(told.payload)).toEqual({ x: 1, y: null, $version: 2 })
    await ofModule.take('$iothub/twin/res/204/?$rid=1&$version=2')
    const read = await ofModule.take('$iothub/twin/res/200/?$rid=2')
    expect(JSON.parse(read.payload)).toEqual({ desired: { x: 1, $version: 2 }, reported: { a: 1, $version: 2 } })
    await ofDevice.publish('$iothub/twin/GET/?$rid=3', ' ')
    const other = await ofDevice.take('$iothub/twin/res/200/?$rid=3')
    expect(JSON.parse(other.payload)).toEqual({ desired: { $version: 1 }, reported: { $version: 1 } })
    expect(ofDevice.messages).toEqual([])
    await Promise.all([ofDevice.end(), ofModule.end()])
  })

  it('G51 takes direct methods of its own', async () => {
    const { device, module } = await registered('methods')
    const ofDevice = await connectDevice(gateway, device)
    const ofModule = await connectDevice(gateway, module)
    await ofDevice.subscribe([methods])
    await ofModule.subscribe([methods])

    const calling = call('methods/m')
    const { topic, payload } = await ofModule.take('$iothub/methods/POST/reboot/?$rid=')
    await ofModule.publish(`$iothub/methods/res/200/?$rid=${topic.split('$rid=')[1]}`, '"done"', 1)

    expect(payload).toBe('1')
    expect(await calling).toEqual([{ identity: 'methods/m', kind: 'answered', status: 200, payload: '"done"' }])
    expect(ofDevice.messages).toEqual([])
    await Promise.all([ofDevice.end(), ofModule.end()])
  })

  it('G51 sends telemetry under its own path, and is cut for that of its device', async () => {
    const { module } = await registered('sends')
    const received: string[] = []
    const off = gateway.hub.events.on('telemetryReceived', ({ deviceId }) => received.push(deviceId))
    const connected = await connectDevice(gateway, module)
    const granted = await connected.subscribe([
      'devices/sends/modules/m/#',
      'devices/sends/modules/m/inputs/#',
      'devices/sends/modules/other/#',
      'devices/sends/messages/devicebound/#',
    ])

    await connected.publish('devices/sends/modules/m/messages/events/$.on=out&x=1', '21.5', 1)
    connected.publish('devices/sends/messages/events/', '21.5', 1).catch(() => {})
    await connected.closed

    expect(granted).toEqual([0, 0, 128, 128])
    expect(received).toEqual(['sends/m'])
    off()
  })

  it.each(['disabled', 'deleted'] as const)('G54 loses its connection when its device is %s', async (how) => {
    const { device, module } = await registered(`parent-${how}`)
    const ofDevice = await connectDevice(gateway, device)
    const ofModule = await connectDevice(gateway, module)
    const bystander = await connectDevice(gateway, await hub.addDevice(`bystander-${how}`))

    if (how === 'disabled') await hub.setStatus(device.identity, 'disabled')
    else await hub.remove(device.identity)
    await Promise.all([ofDevice.closed, ofModule.closed])

    expect(await refusalOf(gateway, module)).toBe(5)
    await bystander.publish(`devices/bystander-${how}/messages/events/`, 'still here', 1)
    await bystander.end()
  })

  it('G54 loses its connection alone when it is deleted, and its device stays', async () => {
    const { device, module } = await registered('alone')
    const ofDevice = await connectDevice(gateway, device)
    const ofModule = await connectDevice(gateway, module)

    await hub.remove(module.identity)
    await ofModule.closed
    await ofDevice.publish('devices/alone/messages/events/', 'still here', 1)

    expect(await refusalOf(gateway, module)).toBe(5)
    await ofDevice.end()
  })

  it('G54 loses its connection within half a minute when the word of its device was lost', async () => {
    const { device, module } = await registered('unheard')
    const ofModule = await connectDevice(gateway, module)
    await eventually(async () => expect((await hub.read(module.identity)).connectionState).toBe('Connected'))
    await hub.changeUnheard(device.identity, { status: 'disabled' })

    vi.advanceTimersByTime(30_000)
    await ofModule.closed

    expect(await refusalOf(gateway, module)).toBe(5)
  })
})
