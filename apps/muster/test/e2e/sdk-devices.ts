import { formatConnectionString } from '@muster/auth'
import { Client, type DeviceMethodRequest, type DeviceMethodResponse, type Twin } from 'azure-iot-device'
import { Mqtt, MqttWs } from 'azure-iot-device-mqtt'
import type { Registry } from 'azure-iothub'

/** The ways of the device SDK to the hub: MQTT over TLS on 8883, and over WebSocket on 443. */
export const transports = [
  ['Mqtt', Mqtt],
  ['MqttWs', MqttWs],
] as const
export type Transport = (typeof transports)[number][1]

/** A device made of the unmodified device SDK. */
export interface SdkDevice {
  readonly deviceId: string
  readonly client: Client
  /** Desired patches received, in order. */
  readonly desired: Record<string, unknown>[]
  /** Method requests received, in order. */
  readonly calls: DeviceMethodRequest[]
  readonly twin: Twin
  close(): Promise<void>
}

/** Registers a device, and returns its key. */
export async function registerDevice(registry: Registry, deviceId: string): Promise<{ deviceId: string; key: string }> {
  const { responseBody } = await registry.create({ deviceId })
  return { deviceId, key: responseBody.authentication?.symmetricKey?.primaryKey ?? '' }
}

/** Registers a module. Its identity is what the hub calls it, device and module. */
export async function registerModule(
  registry: Registry,
  deviceId: string,
  moduleId: string,
): Promise<{ deviceId: string; identity: string; key: string; connectionString: string }> {
  const { responseBody } = await registry.addModule({ deviceId, moduleId })
  const key = responseBody.authentication?.symmetricKey?.primaryKey ?? ''
  const connectionString = formatConnectionString({ hostName: 'localhost', deviceId, moduleId, sharedAccessKey: key })
  return { deviceId, identity: `${deviceId}/${moduleId}`, key, connectionString }
}

/** Connects a device, reads its twin, subscribes to desired changes, and answers the method `reboot` with a status. */
export async function connectDevice(
  { deviceId, key }: { deviceId: string; key: string },
  { status = 200, transport = Mqtt }: { status?: number; transport?: Transport } = {},
): Promise<SdkDevice> {
  const client = Client.fromConnectionString(
    formatConnectionString({ hostName: 'localhost', deviceId, sharedAccessKey: key }),
    transport,
  )
  const desired: Record<string, unknown>[] = []
  const calls: DeviceMethodRequest[] = []
  await client.open()
  const twin = await client.getTwin()
  twin.on('properties.desired', (patch: Record<string, unknown>) => desired.push(patch))
  client.onDeviceMethod('reboot', (request: DeviceMethodRequest, response: DeviceMethodResponse) => {
    calls.push(request)
    void response.send(status, { deviceId, got: request.payload })
  })
  return {
    deviceId,
    client,
    desired,
    calls,
    twin,
    close: async () => {
      await client.close()
    },
  }
}
