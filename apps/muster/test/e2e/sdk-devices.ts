import { formatConnectionString } from '@muster/auth'
import { Client, type DeviceMethodRequest, type DeviceMethodResponse, type Twin } from 'azure-iot-device'
import { Mqtt } from 'azure-iot-device-mqtt'

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

/** Connects a device, reads its twin, subscribes to desired changes, and answers the method `reboot` with a status. */
export async function connectDevice(
  { deviceId, key }: { deviceId: string; key: string },
  { status = 200 }: { status?: number } = {},
): Promise<SdkDevice> {
  const client = Client.fromConnectionString(
    formatConnectionString({ hostName: 'localhost', deviceId, sharedAccessKey: key }),
    Mqtt,
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
