import { type CallResult, type DeviceCall, newCall } from '@muster/bus'
import { jsonText } from '@muster/contract'
import { findRoutes } from '@muster/store'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectDevice, methods, type TestDevice } from '../device.ts'
import { openHub, type TestGateway, type TestHub } from '../hub.ts'

let hub: TestHub
let gateway: TestGateway
beforeAll(async () => {
  hub = await openHub()
  gateway = await hub.startGateway()
})
afterAll(() => hub[Symbol.asyncDispose]())

async function connected(deviceId: string) {
  const device = await connectDevice(gateway, await hub.addDevice(deviceId))
  await device.subscribe([methods])
  return device
}

async function callOf(deviceId: string): Promise<DeviceCall> {
  const [route] = await findRoutes(gateway.hub.db, [deviceId])
  if (route?.gatewayId == null) throw new Error(`${deviceId} takes no methods`)
  const method = { methodName: 'reboot', payload: jsonText(null), responseTimeoutSeconds: 30 }
  return newCall({ gatewayId: route.gatewayId, identities: [deviceId], ...method }, gateway.hub.clock.now())
}

/** Asks for the call, as a worker does. */
async function ask(call: DeviceCall): Promise<CallResult | undefined> {
  const options = { signal: new AbortController().signal, patience: 'short' } as const
  for await (const [result] of gateway.hub.bus.callDevices(call, options)) return result
  return undefined
}

/** The request id of the next method, and how to answer it. */
async function taken(device: TestDevice) {
  const { topic } = await device.take('$iothub/methods/POST/reboot/?$rid=')
  const rid = topic.split('$rid=')[1] ?? ''
  return { rid, answer: () => device.publish(`$iothub/methods/res/200/?$rid=${rid}`, '1', 1) }
}

/** Another delivery, which its caller wants; or one that an earlier worker may have asked for. */
function changed(call: DeviceCall, target: Partial<DeviceCall['targets'][number]>): DeviceCall {
  return { ...call, targets: call.targets.map((old) => ({ ...old, ...target })) }
}

const answered = { kind: 'answered', status: 200, payload: '1', deliveredAtMs: expect.any(Number) }

describe('a call', () => {
  it('G38 that is asked for by two workers reaches the device once, and both get its answer', async () => {
    const device = await connected('asked-twice')
    const call = await callOf('asked-twice')

    const first = ask(call)
    const { rid, answer } = await taken(device)
    const second = ask(call)
    await answer()
    const results = [await first, await second, await ask(call)]
    const other = ask(await callOf('asked-twice'))
    const next = await taken(device)
    await next.answer()

    expect(results).toEqual(results.map(() => ({ identity: 'asked-twice', ...answered })))
    expect(rid).toBe(call.callId)
    // The next message on the connection is that of another call.
    expect(next.rid).not.toBe(rid)
    expect(await other).toMatchObject(answered)
    await device.end()
  })

  it('G38 whose connection was lost stays lost for a worker that asks again, and is delivered again on demand', async () => {
    const identity = await hub.addDevice('reboots')
    const first = await connectDevice(gateway, identity)
    await first.subscribe([methods])
    const call = await callOf('reboots')

    const asking = ask(call)
    await taken(first)
    await first.end('drop')
    const lost = await asking
    const second = await connectDevice(gateway, identity)
    await second.subscribe([methods])
    const again = await ask(call)
    const repeating = ask(changed(call, { delivery: 2 }))
    const { rid, answer } = await taken(second)
    await answer()

    expect(lost).toEqual({ identity: 'reboots', kind: 'connectionLost', deliveredAtMs: expect.any(Number) })
    expect(again).toEqual(lost)
    expect(rid).toBe(call.callId)
    expect(await repeating).toMatchObject(answered)
    await second.end()
  })

  it('G38 that an earlier worker may have asked for before this gateway started is not delivered', async () => {
    const device = await connected('forgotten')
    const call = await callOf('forgotten')

    const result = await ask(changed(call, { askedSinceMs: call.deliverBeforeMs - 3_600_000 }))

    expect(result).toEqual({ identity: 'forgotten', kind: 'forgotten' })
    await device.end()
  })

  it('G39 that comes too late is not delivered', async () => {
    const device = await connected('late')
    const call = await callOf('late')

    const result = await ask({ ...call, deliverBeforeMs: gateway.hub.clock.now().getTime() })

    expect(result).toEqual({ identity: 'late', kind: 'expired' })
    await device.end()
  })

  it('G39 that was dropped is not delivered, and those who have it may answer', async () => {
    const device = await connected('dropped')
    const call = await callOf('dropped')

    const asking = ask(call)
    const { answer } = await taken(device)
    await gateway.hub.bus.dropCall(call.callId)
    const later = await ask(changed(call, { identity: 'dropped-2' }))
    await answer()

    expect(later).toEqual({ identity: 'dropped-2', kind: 'expired' })
    expect(await asking).toMatchObject(answered)
    await device.end()
  })
})
