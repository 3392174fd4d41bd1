import { Readable } from 'node:stream'
import { Client as DeviceClient, Message, ModuleClient } from 'azure-iot-device'
import { Mqtt } from 'azure-iot-device-mqtt'
import { AmqpWs, Client, type Configuration, DigitalTwinClient, IoTHubTokenCredentials, Registry } from 'azure-iothub'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestHub } from '../hub.ts'
import { type Failure, failureOf } from './failure-of.ts'
import { registerDevice, registerModule } from './sdk-devices.ts'
import { startSdkHub } from './sdk-hub.ts'
import type { outOfScope } from './sdk-out-of-scope.ts'

const noRetry = { shouldRetry: () => false, nextRetryTimeout: () => -1 }

let hub: TestHub
let registry: Registry
let service: Client
let digitalTwins: DigitalTwinClient
let device: DeviceClient
let module: ModuleClient
beforeAll(async () => {
  hub = await startSdkHub()
  registry = Registry.fromConnectionString(hub.connectionString)
  service = Client.fromConnectionString(hub.connectionString)
  digitalTwins = new DigitalTwinClient(new IoTHubTokenCredentials(hub.connectionString))
  const { key } = await registerDevice(registry, 'lamp')
  const { connectionString } = await registerModule(registry, 'lamp', 'door')
  device = DeviceClient.fromConnectionString(`HostName=localhost;DeviceId=lamp;SharedAccessKey=${key}`, Mqtt)
  // With a gateway's name, as an edge device has it, ModuleClient.invokeMethod is sent.
  module = ModuleClient.fromConnectionString(`${connectionString};GatewayHostName=localhost`, Mqtt)
  for (const client of [service, device, module]) client.setRetryPolicy(noRetry)
  await device.open()
  await module.open()
})
afterAll(async () => {
  await module.close()
  await device.close()
  await hub[Symbol.asyncDispose]()
})

const notFound = { name: 'Error', message: 'Not found', status: 404 }
const noBlobJobs = { name: 'ArgumentError', status: 400, message: expect.stringContaining('no import and export jobs') }
const noAmqp = { name: 'NotConnectedError', message: 'rhea: connection disconnected' }
const noAddress = { message: expect.stringMatching(/There is nothing at \/digitaltwins\/lamp/) }
const notOverMqtt = { name: 'NotImplementedError' }
const configuration: Configuration = { id: 'c', schemaVersion: '1.0', content: {}, etag: 'e', labels: {} } as never
const message = new Message('21.5')
const method = { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 5, connectTimeoutInSeconds: 5 }
const blob = 'https://blobs.example/container'

/** What the caller of each gets. */
const answers: Record<keyof typeof outOfScope, [call: () => PromiseLike<unknown>, failure: Partial<Failure>]> = {
  'Registry.importDevicesFromBlob': [() => registry.importDevicesFromBlob(blob, blob), noBlobJobs],
  'Registry.importDevicesFromBlobByIdentity': [() => registry.importDevicesFromBlobByIdentity(blob, blob), noBlobJobs],
  'Registry.exportDevicesToBlob': [() => registry.exportDevicesToBlob(blob, false), noBlobJobs],
  'Registry.exportDevicesToBlobByIdentity': [() => registry.exportDevicesToBlobByIdentity(blob, true), noBlobJobs],
  'Registry.getJob': [() => registry.getJob('j'), notFound],
  'Registry.cancelJob': [() => registry.cancelJob('j'), notFound],
  'Registry.addConfiguration': [() => registry.addConfiguration(configuration), notFound],
  'Registry.getConfiguration': [() => registry.getConfiguration('c'), notFound],
  'Registry.getConfigurations': [() => registry.getConfigurations(), notFound],
  'Registry.updateConfiguration': [() => registry.updateConfiguration(configuration), notFound],
  'Registry.removeConfiguration': [() => registry.removeConfiguration('c'), notFound],
  'Registry.applyConfigurationContentOnDevice': [
    () => registry.applyConfigurationContentOnDevice('lamp', {} as never),
    notFound,
  ],
  'service Client.open': [() => service.open(), noAmqp],
  'service Client.send': [() => service.send('lamp', message as never), noAmqp],
  'service Client.getFeedbackReceiver': [() => service.getFeedbackReceiver(), noAmqp],
  'service Client.getFileNotificationReceiver': [() => service.getFileNotificationReceiver(), noAmqp],
  'DigitalTwinClient.getDigitalTwin': [() => digitalTwins.getDigitalTwin('lamp'), noAddress],
  'DigitalTwinClient.updateDigitalTwin': [() => digitalTwins.updateDigitalTwin('lamp', []), noAddress],
  'DigitalTwinClient.invokeComponentCommand': [
    () => digitalTwins.invokeComponentCommand('lamp', 'c', 'x', '{}'),
    noAddress,
  ],
  'DigitalTwinClient.invokeCommand': [() => digitalTwins.invokeCommand('lamp', 'x', '{}'), noAddress],
  'device Client.uploadToBlob': [
    () => device.uploadToBlob('b', Readable.from(['x']) as never, 1),
    { name: 'BlobSasError' },
  ],
  'device Client.getBlobSharedAccessSignature': [() => device.getBlobSharedAccessSignature('b'), { status: 404 }],
  'device Client.notifyBlobUploadStatus': [
    () => device.notifyBlobUploadStatus('b', true, 200, 'done'),
    { message: 'Not Found' },
  ],
  'device Client.sendEventBatch': [() => device.sendEventBatch([message]), notOverMqtt],
  'device Client.reject': [() => device.reject(message), notOverMqtt],
  'device Client.abandon': [() => device.abandon(message), notOverMqtt],
  'ModuleClient.sendEventBatch': [() => module.sendEventBatch([message]), notOverMqtt],
  'ModuleClient.sendOutputEventBatch': [() => module.sendOutputEventBatch('out', [message]), notOverMqtt],
  'ModuleClient.reject': [() => module.reject(message), notOverMqtt],
  'ModuleClient.abandon': [() => module.abandon(message), notOverMqtt],
  'ModuleClient.invokeMethod': [() => module.invokeMethod('lamp', method), { name: 'UnauthorizedError', status: 401 }],
}

describe('a call that is out of scope fails at once', () => {
  it.each(Object.entries(answers))('%s', async (_, [call, failure]) => {
    expect(await failureOf(call())).toMatchObject(failure)
  })

  it('service Client.open over AMQP in a WebSocket too', async () => {
    const client = Client.fromConnectionString(hub.connectionString, AmqpWs)
    client.setRetryPolicy(noRetry)

    expect(await failureOf(client.open())).toMatchObject(noAmqp)
  })

  it('ModuleClient.invokeMethod without a gateway is refused by the SDK', async () => {
    const { connectionString } = await registerModule(registry, 'lamp', 'window')
    const client = ModuleClient.fromConnectionString(connectionString, Mqtt)

    expect(await failureOf(client.invokeMethod('lamp', method))).toMatchObject({ name: 'ArgumentError', status: null })
  })
})

describe('what stays harmless', () => {
  it('Registry.listJobs finds no import and export jobs', async () => {
    expect((await registry.listJobs()).responseBody).toEqual([])
  })

  it('service Client.close without service Client.open does nothing', async () => {
    expect(await service.close()).toMatchObject({ result: expect.anything() })
  })

  it('IoTHubTokenCredentials.getHubName and IoTHubTokenCredentials.signRequest sign what the hub takes', async () => {
    const credentials = new IoTHubTokenCredentials(hub.connectionString)
    const headers = new Map<string, string>()

    await credentials.signRequest({ headers } as never)
    const signed = Registry.fromSharedAccessSignature([...headers.values()].join())

    expect(credentials.getHubName()).toBe('localhost')
    expect((await signed.get('lamp')).responseBody).toMatchObject({ deviceId: 'lamp' })
  })
})
