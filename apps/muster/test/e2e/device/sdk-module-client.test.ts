import { once } from 'node:events'
import { eventually } from '@muster/testkit'
import { Message, ModuleClient, type Twin } from 'azure-iot-device'
import { Registry, Client as ServiceClient } from 'azure-iothub'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestHub } from '../../hub.ts'
import { inCallbackForm } from '../callback-form.ts'
import { failureOf } from '../failure-of.ts'
import { connectDevice, registerDevice, registerModule, transports } from '../sdk-devices.ts'
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

const reboot = { methodName: 'reboot', payload: { delay: 1 }, connectTimeoutInSeconds: 30 }

describe.each(transports)('a module over %s', (name, transport) => {
  /** A client of a new module on a new device, which is not open yet. */
  const givenClient = async (purpose: string) => {
    const device = await registerDevice(registry, `${purpose}-${name}`)
    const module = await registerModule(registry, device.deviceId, 'door')
    return { ...module, device, client: ModuleClient.fromConnectionString(module.connectionString, transport) }
  }
  const stateOf = async (deviceId: string) => (await registry.getModule(deviceId, 'door')).responseBody.connectionState

  it('ModuleClient.open and ModuleClient.close are its own connection, beside that of its device', async () => {
    const { deviceId, device, client } = await givenClient('opens')

    await client.open()
    const ofDevice = await connectDevice(device, { transport })
    const both = [await stateOf(deviceId), (await registry.get(deviceId)).responseBody.connectionState]
    await ofDevice.close()
    const stays = await stateOf(deviceId)
    await client.close()
    await eventually(async () => expect(await stateOf(deviceId)).toBe('Disconnected'))
    await inCallbackForm((done) => client.open(done))
    const again = await stateOf(deviceId)
    await inCallbackForm((done) => client.close(done))

    expect(both).toEqual(['Connected', 'Connected'])
    expect([stays, again]).toEqual(['Connected', 'Connected'])
  })

  it('ModuleClient.open with the key of the device, or of a module that is unknown, is an UnauthorizedError', async () => {
    const { device, connectionString } = await givenClient('refused')
    const keyless = connectionString.replace(/SharedAccessKey=.*/, `SharedAccessKey=${device.key}`)
    const unknown = connectionString.replace('ModuleId=door', 'ModuleId=window')

    for (const text of [keyless, unknown]) {
      const client = ModuleClient.fromConnectionString(text, transport)
      expect(await failureOf(client.open())).toMatchObject({ name: 'UnauthorizedError' })
    }
  })

  it('ModuleClient.onMethod answers what the service calls on the module, and its device answers for itself', async () => {
    const { deviceId, device, client } = await givenClient('methods')
    client.onMethod('reboot', (request, response) => void response?.send(201, { module: request?.payload }))
    await client.open()
    const ofDevice = await connectDevice(device, { transport })

    const { result: fromModule } = await service.invokeDeviceMethod(deviceId, 'door', reboot)
    const { result: fromDevice } = await service.invokeDeviceMethod(deviceId, reboot)
    await ofDevice.close()
    await client.close()

    expect(fromModule).toEqual({ status: 201, payload: { module: { delay: 1 } } })
    expect(fromDevice).toEqual({ status: 200, payload: { deviceId, got: { delay: 1 } } })
  })

  it('ModuleClient.open after ModuleClient.close takes methods again, because the session was kept', async () => {
    const { deviceId, client } = await givenClient('keeps')
    client.onMethod('reboot', (_, response) => void response?.send(200, 'again'))
    await client.open()
    await service.invokeDeviceMethod(deviceId, 'door', reboot)

    await client.close()
    await client.open()
    const { result } = await service.invokeDeviceMethod(deviceId, 'door', reboot)
    await client.close()

    expect(result).toEqual({ status: 200, payload: 'again' })
  })

  it('ModuleClient.getTwin reads its own twin, reports to it, and is told of its changes', async () => {
    const { deviceId, client } = await givenClient('twin')
    await registry.updateModuleTwin(deviceId, 'door', { properties: { desired: { speed: 1 } } }, '*')
    await client.open()

    const twin = await client.getTwin()
    const [called] = await inCallbackForm<Twin, unknown>((done) => client.getTwin(done))
    const told: unknown[] = []
    twin.on('properties.desired', (patch: unknown) => told.push(structuredClone(patch)))
    await inCallbackForm((done) => twin.enableTwinDesiredPropertiesUpdates(done))
    await inCallbackForm((done) => twin.properties.reported.update({ open: true }, done))
    await registry.updateModuleTwin(deviceId, 'door', { properties: { desired: { speed: null, side: 'left' } } }, '*')
    await eventually(() => expect(told).toHaveLength(2))
    await client.close()

    expect(called).toBe(twin)
    expect(told).toEqual([
      { speed: 1, $version: 2 },
      { speed: null, side: 'left', $version: 3 },
    ])
    const { responseBody } = await registry.getModuleTwin(deviceId, 'door')
    expect(responseBody.properties.reported).toMatchObject({ open: true, $version: 2 })
    expect((await registry.getTwin(deviceId)).responseBody.properties.reported).not.toHaveProperty('open')
  })

  it('ModuleClient.sendEvent and ModuleClient.sendOutputEvent are acknowledged and counted', async () => {
    const { identity, client } = await givenClient('tells')
    const received: string[] = []
    const off = hub.running.hub.events.on('telemetryReceived', (event) => received.push(event.deviceId))

    await client.open()
    await client.sendEvent(new Message('21.5'))
    await inCallbackForm((done) => client.sendEvent(new Message('21.6'), done))
    await client.sendOutputEvent('alerts', new Message('open'))
    await inCallbackForm((done) => client.sendOutputEvent('alerts', new Message('shut'), done))
    await client.close()
    off()

    expect(received).toEqual([identity, identity, identity, identity])
  })

  it('a listener for input messages is subscribed and unsubscribed, and ModuleClient.complete settles', async () => {
    const { deviceId, client } = await givenClient('listens')
    const errors: unknown[] = []
    const listener = () => {}
    client.on('error', (error) => errors.push(error))
    await client.open()

    client.on('inputMessage', listener)
    await client.getTwin()
    client.removeListener('inputMessage', listener)
    await client.getTwin()
    await client.complete(new Message('never sent'))
    const state = await stateOf(deviceId)
    await client.close()

    expect(errors).toEqual([])
    expect(state).toBe('Connected')
  })

  it('ModuleClient.setOptions and ModuleClient.setTransportOptions are taken before it opens', async () => {
    const { deviceId, client } = await givenClient('configured')

    await client.setOptions({ ca: hub.ca, keepalive: 30, productInfo: 'door/1.0' })
    await client.setTransportOptions({ interval: 1 })
    await client.open()
    const state = await stateOf(deviceId)
    await client.close()

    expect(state).toBe('Connected')
  })

  it('ModuleClient.setRetryPolicy without retries tells the program when its device is disabled', async () => {
    const { deviceId, client } = await givenClient('barred')
    client.setRetryPolicy({ shouldRetry: () => false, nextRetryTimeout: () => -1 })
    await client.open()
    const disconnected = once(client, 'disconnect')

    await registry.update({ deviceId, status: 'disabled' })

    expect(await disconnected).toMatchObject([{ transportObj: { name: 'NotConnectedError' } }])
    expect(await failureOf(client.open())).toMatchObject({ message: expect.stringContaining('Not authorized') })
  })
})
