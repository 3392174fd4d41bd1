import { type DeviceId, type GatewayId, gatewayId, type JsonObject, parseDeviceId } from '@muster/contract'
import { type DeviceDraft, insertDevices } from '../src/devices.ts'
import { heartbeat } from '../src/gateways.ts'
import type { Db } from '../src/sql.ts'
import { noon } from './engine.ts'

export function deviceId(text: string): DeviceId {
  return parseDeviceId(text)
}

export function draft(id: string, changes: Partial<DeviceDraft> = {}): DeviceDraft {
  return {
    deviceId: deviceId(id),
    status: 'enabled',
    statusReason: null,
    authentication: {
      type: 'sas',
      primaryKey: 'cHJpbWFyeQ==',
      secondaryKey: 'c2Vjb25kYXJ5',
      primaryThumbprint: null,
      secondaryThumbprint: null,
    },
    isEdge: false,
    ...changes,
  }
}

/** A device that did not exist before, created at noon. */
export async function givenDevice(
  db: Db,
  id: string,
  twin: { tags?: JsonObject; desired?: JsonObject } = {},
): Promise<DeviceId> {
  const created = await insertDevices(db, [draft(id, twin)], noon)
  if (created.length === 0) throw new Error(`the device ${id} exists already`)
  return deviceId(id)
}

/** A gateway that runs at noon. */
export async function givenGateway(db: Db, id: string): Promise<GatewayId> {
  await heartbeat(db, gatewayId(id), noon)
  return gatewayId(id)
}
