import {
  type DeviceId,
  type GatewayId,
  gatewayId,
  type IdentityKey,
  type JsonObject,
  parseDeviceId,
  storedIdentity,
} from '@muster/contract'
import { sql } from 'drizzle-orm'
import { at, type Db, rows } from '../src/postgres/sql.ts'
import { type IdentityDraft, insertIdentities } from '../src/registry/identities.ts'
import { heartbeat } from '../src/sessions/gateways.ts'
import { type PatchedReported, patchReported } from '../src/twins/twins.ts'
import { noon } from './jobs/engine.ts'

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
    parentScopes: [],
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
  await heartbeat(db, { gatewayId: gatewayId(id), connections: 0 }, noon)
  return gatewayId(id)
}

/** What a device or module reports over its connection. One that has never connected has done so by then, at noon. */
export async function report(
  db: Db,
  identity: IdentityKey,
  patch: JsonObject | null,
  { version = null, now = noon }: { version?: number | null; now?: Date } = {},
): Promise<PatchedReported> {
  const [session] = await rows<{ connection_no: string }>(
    db,
    sql`
    insert into sessions (device_id, state_updated_at, last_activity_at)
    select device_id, ${at(noon)}, ${at(noon)} from devices where device_id = ${identity}
        on conflict (device_id) do update set device_id = excluded.device_id
    returning connection_no`,
  )
  return patchReported(db, identity, patch, { version, connectionNo: Number(session?.connection_no ?? 0) }, now)
}
