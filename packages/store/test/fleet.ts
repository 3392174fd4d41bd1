import {
  type DeviceId,
  type GatewayId,
  gatewayId,
  type JsonObject,
  parseDeviceId,
  storedIdentity,
} from '@muster/contract'
import { heartbeat } from '../src/gateways.ts'
import { type IdentityDraft, insertIdentities } from '../src/identities.ts'
import type { Db } from '../src/sql.ts'
import { noon } from './engine.ts'

export function deviceId(text: string): DeviceId {
  return parseDeviceId(text)
}

export function draft(id: string, changes: Partial<IdentityDraft> = {}): IdentityDraft {
  return {
    identity: deviceId(id),
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
    managedBy: null,
    ...changes,
  }
}

/** A device that did not exist before, created at noon. */
export async function givenDevice(
  db: Db,
  id: string,
  twin: { tags?: JsonObject; desired?: JsonObject } = {},
): Promise<DeviceId> {
  const created = await insertIdentities(db, [draft(id, twin)], noon)
  if (created.length === 0) throw new Error(`the device ${id} exists already`)
  return deviceId(id)
}

/** Modules of devices that exist, `device/module` each, created at noon. */
export async function givenModules(
  db: Db,
  modules: Readonly<Record<string, { tags?: JsonObject; desired?: JsonObject }>>,
): Promise<void> {
  const drafts = Object.entries(modules).map(([key, twin]) => ({
    ...draft('any', twin),
    identity: storedIdentity(key),
  }))
  await insertIdentities(db, drafts, noon)
}

/** A gateway that runs at noon. */
export async function givenGateway(db: Db, id: string): Promise<GatewayId> {
  await heartbeat(db, gatewayId(id), noon)
  return gatewayId(id)
}
