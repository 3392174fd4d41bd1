import { formatInstant, type JsonObject } from '@muster/contract'
import type { Device } from '@muster/store'

/** An identity as reads of it show it. */
export function deviceJson(device: Device): JsonObject {
  const { authentication } = device
  return {
    deviceId: device.deviceId,
    generationId: device.generationId,
    etag: device.etag,
    connectionState: device.connectionState,
    connectionStateUpdatedTime: formatInstant(device.connectionStateUpdatedTime),
    status: device.status,
    statusReason: device.statusReason,
    statusUpdatedTime: formatInstant(device.statusUpdatedTime),
    lastActivityTime: formatInstant(device.lastActivityTime),
    // Messages from the cloud are not part of this hub.
    cloudToDeviceMessageCount: 0,
    authentication: {
      symmetricKey: { primaryKey: authentication.primaryKey, secondaryKey: authentication.secondaryKey },
      x509Thumbprint: {
        primaryThumbprint: authentication.primaryThumbprint,
        secondaryThumbprint: authentication.secondaryThumbprint,
      },
      type: authentication.type,
    },
    capabilities: { iotEdge: device.isEdge },
  }
}
