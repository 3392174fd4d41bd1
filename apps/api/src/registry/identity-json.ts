import { formatInstant, type JsonObject, partsOf } from '@muster/contract'
import type { Identity } from '@muster/store'

/** A device as reads show it. */
export function deviceJson(device: Identity): JsonObject {
  return {
    deviceId: device.identity,
    generationId: device.generationId,
    etag: device.etag,
    connectionState: device.connectionState,
    connectionStateUpdatedTime: formatInstant(device.connectionStateUpdatedTime),
    status: device.status,
    statusReason: device.statusReason,
    statusUpdatedTime: formatInstant(device.statusUpdatedTime),
    lastActivityTime: formatInstant(device.lastActivityTime),
    // This hub has no messages from the cloud.
    cloudToDeviceMessageCount: 0,
    authentication: authenticationJson(device),
    capabilities: { iotEdge: device.isEdge },
    ...scopesOf(device),
  }
}

/** Only an edge device, and one that has a parent, have a scope. */
function scopesOf({ deviceScope, parentScopes }: Identity): JsonObject {
  return deviceScope === null ? {} : { deviceScope, parentScopes }
}

/** A module as reads show it. It has no status of its own; that of its device counts. */
export function moduleJson(module: Identity): JsonObject {
  const { deviceId, moduleId } = partsOf(module.identity)
  return {
    moduleId,
    managedBy: module.managedBy,
    deviceId,
    generationId: module.generationId,
    etag: module.etag,
    connectionState: module.connectionState,
    connectionStateUpdatedTime: formatInstant(module.connectionStateUpdatedTime),
    lastActivityTime: formatInstant(module.lastActivityTime),
    cloudToDeviceMessageCount: 0,
    authentication: authenticationJson(module),
  }
}

function authenticationJson({ authentication }: Identity): JsonObject {
  return {
    symmetricKey: { primaryKey: authentication.primaryKey, secondaryKey: authentication.secondaryKey },
    x509Thumbprint: {
      primaryThumbprint: authentication.primaryThumbprint,
      secondaryThumbprint: authentication.secondaryThumbprint,
    },
    type: authentication.type,
  }
}
