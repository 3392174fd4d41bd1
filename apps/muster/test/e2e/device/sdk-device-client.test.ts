import { once } from 'node:events'
import { formatConnectionString } from '@muster/auth'
import { makeAuthority } from '@muster/runtime'
import { findOwners } from '@muster/store'
import { eventually } from '@muster/testkit'
import { Client, type DeviceMethodRequest, type DeviceMethodResponse, Message } from 'azure-iot-device'
import { Registry, Client as ServiceClient } from 'azure-iothub'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestHub } from '../../hub.ts'
import { inCallbackForm } from '../callback-form.ts'
import { failureOf } from '../failure-of.ts'
import { registerDevice, type Transport, transports } from '../sdk-devices.ts'
import { startSdkHub } from '../sdk-hub.ts'

let hub: TestHub
let registry: Registry
let service: ServiceClient
beforeAll(async () => {
  hub = await startSdkHub()
  registry = Registry.fromConnectionString(hub.connectionString)
  service = ServiceClient.fromConnectionString(hub.connectionString)
})
afterAll(() => hub[Symbol.asyncDispose]())

const noRetry = { shouldRetry: () => false, nextRetryTimeout: () => -1 }

describe.each(transports)('a device over %s', (name, transport) => {
  /** A client of a new device, which is not open yet. */
  const givenClient = async (purpose: string) => {
    const { deviceId, key } = await registerDevice(registry, `${purpose}-${name}`)
    return { deviceId, key, client: clientOf(deviceId, key, transport) }
  }
  const stateOf = async (deviceId: string) => (await registry.get(deviceId)).responseBody.connectionState
  const reboot = async (deviceId: string, payload: unknown = null) =>
    (await service.invokeDeviceMethod(deviceId, { methodName: 'reboot', payload, connectTimeoutInSeconds: 30 })).result

  it('device Client.open connects, and device Client.close disconnects', async () => {
    const { deviceId, client } = await givenClient('opens')

    await client.open()
    const whileOpen = await stateOf(deviceId)
    await client.close()
    await eventually(async () => expect(await stateOf(deviceId)).toBe('Disconnected'))
    await inCallbackForm((done) => client.open(done))
    const openAgain = await stateOf(deviceId)
    await inCallbackForm((done) => client.close(done))

    expect([whileOpen, openAgain]).toEqual(['Connected', 'Connected'])
  })

  it('device Client.open with a wrong key, or of a device that is disabled, is an UnauthorizedError', async () => {
    const { deviceId, key } = await givenClient('refused')
    const other = await registerDevice(registry, `other-${name}`)

    expect(await failureOf(clientOf(deviceId, other.key, transport).open())).toMatchObject({
      name: 'UnauthorizedError',
      message: expect.stringContaining('Not authorized'),
    })
    await registry.update({ deviceId, status: 'disabled' })
    expect(await failureOf(clientOf(deviceId, key, transport).open())).toMatchObject({ name: 'UnauthorizedError' })
    expect(await failureOf(clientOf('nobody', key, transport).open())).toMatchObject({ name: 'UnauthorizedError' })
  })

  it('device Client.onDeviceMethod receives payloads, and DeviceMethodResponse.send answers in each of its forms', async () => {
    const { deviceId, client } = await givenClient('methods')
    const forms: Record<string, (response: DeviceMethodResponse, payload: unknown) => unknown> = {
      alone: (response) => response.send(201),
      withPayload: (response, payload) => response.send(202, payload),
      called: (response) => inCallbackForm((done) => response.send(203, done)),
      calledWithPayload: (response, payload) => inCallbackForm((done) => response.send(-204, payload, done)),
    }
    const answer = (request: DeviceMethodRequest, response: DeviceMethodResponse) =>
      forms[request.methodName]?.(response, { got: request.payload })
    for (const methodName of Object.keys(forms)) client.onDeviceMethod(methodName, answer)
    await client.open()

    const results = []
    for (const methodName of Object.keys(forms)) {
      const params = { methodName, payload: [methodName], connectTimeoutInSeconds: 30 }
      results.push((await service.invokeDeviceMethod(deviceId, params)).result)
    }
    await client.close()

    expect(results).toEqual([
      { status: 201, payload: null },
      { status: 202, payload: { got: ['withPayload'] } },
      { status: 203, payload: null },
      { status: -204, payload: { got: ['calledWithPayload'] } },
    ])
  })

  it('DeviceMethodResponse.send carries payloads of every kind', async () => {
    const { deviceId, client } = await givenClient('payloads')
    client.onDeviceMethod('reboot', (request, response) => response.send(200, request.payload))
    await client.open()

    const payloads = [null, 0, '', false, 'Grüße', [], {}, [[1.5, { a: null }]]]
    const returned = []
    for (const payload of payloads) returned.push((await reboot(deviceId, payload)).payload)
    await client.close()

    expect(returned).toEqual(payloads)
  })

  it('device Client.open after device Client.close takes methods again, because the session was kept', async () => {
    const { deviceId, client } = await givenClient('keeps')
    client.onDeviceMethod('reboot', (_, response) => response.send(200, 'again'))
    await client.open()
    await reboot(deviceId)

    await client.close()
    await client.open()
    const result = await reboot(deviceId)
    await client.close()

    expect(result).toEqual({ status: 200, payload: 'again' })
  })

  it('device Client.sendEvent is acknowledged and counted, in both forms', async () => {
    const { deviceId, client } = await givenClient('tells')
    const received: string[] = []
    const off = hub.running.hub.events.on('telemetryReceived', (event) => received.push(event.deviceId))
    const message = new Message(JSON.stringify({ celsius: 21.5 }))
    message.contentType = 'application/json'
    message.contentEncoding = 'utf-8'
    message.messageId = 'm-1'
    message.properties.add('alert/level', 'Grüße & more')

    await client.open()
    const enqueued = await client.sendEvent(message)
    await inCallbackForm((done) => client.sendEvent(new Message(Buffer.alloc(200_000)), done))
    await client.close()
    off()

    expect(enqueued).toMatchObject({ transportObj: { cmd: 'publish' } })
    expect(received).toEqual([deviceId, deviceId])
  })

  it('a listener for messages of the cloud is subscribed and unsubscribed, and device Client.complete settles', async () => {
    const { deviceId, client } = await givenClient('listens')
    const errors: unknown[] = []
    const listener = () => {}
    client.on('error', (error) => errors.push(error))
    await client.open()

    client.on('message', listener)
    await client.getTwin()
    client.removeListener('message', listener)
    await client.getTwin()
    await client.complete(new Message('never sent'))
    const state = await stateOf(deviceId)
    await client.close()

    expect(errors).toEqual([])
    expect(state).toBe('Connected')
  })

  it('device Client.setOptions trusts the given CA and no other, and names a product and a model', async () => {
    const { deviceId, key, client } = await givenClient('trusts')
    const stranger = clientOf(deviceId, key, transport)
    await stranger.setOptions({ ca: (await makeAuthority(new Date())).cert })

    await client.setOptions({ ca: hub.ca, keepalive: 30, productInfo: 'lamp/1.0 (&=?)', modelId: 'dtmi:muster:lamp;1' })
    await client.setTransportOptions({})
    await client.open()
    const state = await stateOf(deviceId)
    await client.close()

    expect(state).toBe('Connected')
    expect((await failureOf(stranger.open())).message).toMatch(/certificate/)
  })

  it('device Client.setTransportOptions changes nothing over MQTT', async () => {
    const { client } = await givenClient('configured')

    expect(await client.setTransportOptions({ interval: 1 })).toMatchObject({ constructor: expect.any(Function) })
  })

  it('a connection that the hub cuts is opened again by the SDK, and methods and notifications go on', async () => {
    const { deviceId, client } = await givenClient('returns')
    client.onDeviceMethod('reboot', (_, response) => response.send(200, 'still here'))
    await client.open()
    const twin = await client.getTwin()
    const told: unknown[] = []
    twin.on('properties.desired.interval', (interval) => told.push(interval))
    await reboot(deviceId)

    await cut(deviceId)
    const result = await reboot(deviceId)
    await registry.updateTwin(deviceId, { properties: { desired: { interval: 5 } } }, '*')
    await eventually(() => expect(told).toEqual([5]))
    await client.close()

    expect(result).toEqual({ status: 200, payload: 'still here' })
  })

  it('device Client.setRetryPolicy without retries tells the program that the hub has cut the connection', async () => {
    const { deviceId, client } = await givenClient('stays-away')
    client.setRetryPolicy(noRetry)
    await client.open()
    const disconnected = once(client, 'disconnect')

    await cut(deviceId)

    expect(await disconnected).toMatchObject([{ transportObj: { name: 'NotConnectedError' } }])
    await eventually(async () => expect(await stateOf(deviceId)).toBe('Disconnected'))
  })

  it('a device that is disabled is not let in, and is back by itself when it is enabled', async () => {
    const { deviceId, client } = await givenClient('barred')
    const refusals: string[] = []
    const off = hub.running.hub.events.on('connectionRefused', ({ reason }) => refusals.push(reason))
    client.onDeviceMethod('reboot', (_, response) => response.send(200, 'back'))
    await client.open()
    await reboot(deviceId)

    await registry.update({ deviceId, status: 'disabled' })
    await eventually(() => expect(refusals).toContain('disabled'))
    await registry.update({ deviceId, status: 'enabled' })
    const result = await reboot(deviceId)
    await client.close()
    off()

    expect(result).toEqual({ status: 200, payload: 'back' })
  })
})

function clientOf(deviceId: string, sharedAccessKey: string, transport: Transport): Client {
  return Client.fromConnectionString(
    formatConnectionString({ hostName: 'localhost', deviceId, sharedAccessKey }),
    transport,
  )
}

/** Has the hub end the connection of a device that may come back: it was disabled for a moment. */
async function cut(deviceId: string): Promise<void> {
  const { bus, db, events } = hub.running.hub
  const gone = new Promise<void>((resolve) => {
    const off = events.on('deviceDisconnected', (event) => {
      if (event.deviceId !== deviceId) return
      off()
      resolve()
    })
  })
  for (const { identity, gatewayId } of await findOwners(db, [deviceId])) {
    await bus.closeConnection(gatewayId, { identity, connectionNo: null, reason: 'disabled' })
  }
  await gone
}
