import { eventually } from '@muster/testkit'
import { type DeviceMethodResponse, ModuleClient } from 'azure-iot-device'
import { Mqtt } from 'azure-iot-device-mqtt'
import { Client, Registry } from 'azure-iothub'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestHub } from '../../hub.ts'
import { inCallbackForm } from '../callback-form.ts'
import { type Failure, failureOf } from '../failure-of.ts'
import { connectDevice, registerDevice, registerModule, type SdkDevice } from '../sdk-devices.ts'
import { startSdkHub } from '../sdk-hub.ts'

let hub: TestHub
let registry: Registry
let service: Client
let lamp: SdkDevice
let door: ModuleClient
beforeAll(async () => {
  hub = await startSdkHub()
  registry = Registry.fromConnectionString(hub.connectionString)
  service = Client.fromConnectionString(hub.connectionString)
  lamp = await connectDevice(await registerDevice(registry, 'lamp'))
  const { connectionString } = await registerModule(registry, 'lamp', 'door')
  door = ModuleClient.fromConnectionString(connectionString, Mqtt)
  await door.open()
  door.onMethod('reboot', (request, response) => void response?.send(201, { module: request?.payload }))
})
afterAll(async () => {
  await door.close()
  await lamp.close()
  await hub[Symbol.asyncDispose]()
})

const reboot = { methodName: 'reboot', payload: { delay: 1 }, responseTimeoutInSeconds: 5 }

/** The sentence of an error, which is JSON inside a text inside JSON. */
function textOf({ body }: Failure): string {
  return JSON.parse(JSON.parse(body).Message).message
}

describe('direct methods', () => {
  it('service Client.invokeDeviceMethod calls a device, in both forms', async () => {
    const { result, message } = await service.invokeDeviceMethod('lamp', reboot)
    const [called, response] = await inCallbackForm((done) => service.invokeDeviceMethod('lamp', reboot, done))

    expect(result).toEqual({ status: 200, payload: { deviceId: 'lamp', got: { delay: 1 } } })
    expect(called).toEqual(result)
    expect([message, response]).toMatchObject([{ statusCode: 200 }, { statusCode: 200 }])
  })

  it('service Client.invokeDeviceMethod calls a module, in both forms', async () => {
    const { result } = await service.invokeDeviceMethod('lamp', 'door', reboot)
    const [called] = await inCallbackForm((done) => service.invokeDeviceMethod('lamp', 'door', reboot, done))

    expect(result).toEqual({ status: 201, payload: { module: { delay: 1 } } })
    expect(called).toEqual(result)
  })

  it.each([[null], [0], [''], [false], ['Grüße'], [[1, [null]]], [{ a: { b: {} } }], [1.5e300]])(
    'service Client.invokeDeviceMethod carries the payload %j there and back',
    async (payload) => {
      const { result } = await service.invokeDeviceMethod('lamp', { methodName: 'reboot', payload })

      expect(result.payload.got).toEqual(payload)
    },
  )

  it('service Client.invokeDeviceMethod waits for a device that connects meanwhile', async () => {
    const late = await registerDevice(registry, 'late')
    const calling = service.invokeDeviceMethod('late', { ...reboot, connectTimeoutInSeconds: 60 })

    const device = await connectDevice(late)
    const { result } = await calling
    await device.close()

    expect(result).toMatchObject({ status: 200, payload: { deviceId: 'late' } })
  })

  it('service Client.invokeDeviceMethod of a method that nobody answers is a GatewayTimeoutError', async () => {
    const unheard = { ...reboot, methodName: 'unheard' }

    const [ofDevice, ofModule] = await Promise.all([
      failureOf(service.invokeDeviceMethod('lamp', unheard)),
      failureOf(inCallbackForm((done) => service.invokeDeviceMethod('lamp', 'door', unheard, done))),
    ])

    for (const failure of [ofDevice, ofModule]) {
      expect(failure).toMatchObject({ name: 'GatewayTimeoutError', status: 504 })
      expect(failure.message).toContain('Timed out waiting for the response from device.')
    }
  })

  it('service Client.invokeDeviceMethod of what is offline or unknown is not found, and the body says which', async () => {
    await registry.create({ deviceId: 'offline' })
    await registry.addModule({ deviceId: 'offline', moduleId: 'door' })
    const numberOf = async (call: Promise<unknown>) => {
      const { name, message, status, body } = await failureOf(call)
      expect([name, message, status]).toEqual(['Error', 'Not found', 404])
      return JSON.parse(JSON.parse(body).Message).errorCode
    }

    expect(await numberOf(service.invokeDeviceMethod('offline', reboot))).toBe(404103)
    expect(await numberOf(service.invokeDeviceMethod('offline', 'door', reboot))).toBe(404103)
    expect(await numberOf(service.invokeDeviceMethod('nobody', reboot))).toBe(404001)
    expect(await numberOf(service.invokeDeviceMethod('lamp', 'window', reboot))).toBe(404010)
  })

  it('service Client.invokeDeviceMethod with a call that is none is an ArgumentError that says what is wrong', async () => {
    const slow = await failureOf(service.invokeDeviceMethod('lamp', { ...reboot, responseTimeoutInSeconds: 301 }))

    expect(slow).toMatchObject({ name: 'ArgumentError', status: 400 })
    // Not cut at the semicolon, which is escaped.
    expect(slow.message).toContain('"message\\":\\"responseTimeoutInSeconds must be within [5')
    expect(textOf(slow)).toBe('responseTimeoutInSeconds must be within [5; 300]. Got 301')
  })

  it('service Client.invokeDeviceMethod with a payload that is too large is an Error that says so', async () => {
    const large = await failureOf(service.invokeDeviceMethod('lamp', { ...reboot, payload: 'x'.repeat(200_000) }))

    expect(large).toMatchObject({ name: 'Error', status: 413 })
    expect(textOf(large)).toBe('payload takes 200002 bytes of JSON; at most 131072 are allowed')
  })

  it('service Client.invokeDeviceMethod while ten are in flight is a TooManyDevicesError, which the SDK makes of any 403', async () => {
    const held: DeviceMethodResponse[] = []
    lamp.client.onDeviceMethod('hold', (_, response) => held.push(response))
    const hold = { methodName: 'hold', responseTimeoutInSeconds: 60 }
    const inFlight = Promise.all(Array.from({ length: 10 }, () => service.invokeDeviceMethod('lamp', hold)))
    await eventually(() => expect(held).toHaveLength(10))

    const eleventh = await failureOf(service.invokeDeviceMethod('lamp', hold))
    for (const response of held) void response.send(200)
    const answered = await inFlight

    expect(eleventh).toMatchObject({ name: 'TooManyDevicesError', status: 403 })
    expect(answered.map(({ result }) => result.status)).toEqual(Array(10).fill(200))
  })
})
