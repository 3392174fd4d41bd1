import type { Client } from '@muster/client'
import { isJsonObject, type Json, type JsonObject, writeJson } from '@muster/contract'
import pLimit from 'p-limit'

const readsAtOnce = 8
const pageSize = 1000

export interface ExportOptions {
  /** Also keys. Each device is read by itself then. */
  readonly withKeys: boolean
  readonly signal: AbortSignal
}

/**
 * Every device and every module as the JSON of an entry of a bulk request, in the order of their ids, so that an import takes them: settings, tags
 * and desired properties. What a device has reported is not in it, because only the device can write it. A twin that changes meanwhile is
 * as it was when its page was read.
 */
export async function* exportDevices(client: Client, { withKeys, signal }: ExportOptions): AsyncGenerator<string> {
  const limit = pLimit(readsAtOnce)
  for (const source of ['devices', 'devices.modules']) {
    for await (const twins of client.query(`SELECT * FROM ${source}`, { pageSize, signal }).pages()) {
      yield* await Promise.all(
        twins.map(async (twin) => {
          const keys = withKeys ? await limit(() => readKeys(client, twin, signal)) : null
          return writeJson(entryOf(twin, keys))
        }),
      )
    }
  }
}

async function readKeys(client: Client, { deviceId, moduleId }: JsonObject, signal: AbortSignal): Promise<Json> {
  const read =
    typeof moduleId === 'string'
      ? client.modules.get(String(deviceId), moduleId, { signal })
      : client.devices.get(String(deviceId), { signal })
  const { symmetricKey } = (await read).authentication
  return symmetricKey === undefined ? null : { ...symmetricKey }
}

const identityMembers = ['status', 'statusReason', 'capabilities', 'deviceScope', 'parentScopes'] as const

function entryOf(twin: JsonObject, symmetricKey: Json): JsonObject {
  const { deviceId = '', moduleId, authenticationType, x509Thumbprint, tags = {}, properties } = twin
  // The scope of an edge device is given by its hub, and is another one after an import.
  const members = isEdge(twin) ? identityMembers.filter((name) => name !== 'deviceScope') : identityMembers
  const identity = members.flatMap((name) => (twin[name] == null ? [] : [[name, twin[name]]]))
  const credentials = authenticationType === 'sas' ? symmetricKey : null
  return {
    id: deviceId,
    ...(moduleId === undefined ? {} : { moduleId }),
    ...(moduleId === undefined ? Object.fromEntries(identity) : {}),
    authentication: {
      type: authenticationType ?? 'sas',
      ...(credentials === null ? {} : { symmetricKey: credentials }),
      ...(authenticationType === 'selfSigned' && x509Thumbprint !== undefined ? { x509Thumbprint } : {}),
    },
    tags,
    properties: { desired: desiredOf(properties) },
  }
}

function isEdge({ capabilities }: JsonObject): boolean {
  return capabilities !== undefined && isJsonObject(capabilities) && capabilities.iotEdge === true
}

function desiredOf(properties: Json | undefined): JsonObject {
  const desired = properties !== undefined && isJsonObject(properties) ? properties.desired : undefined
  if (desired === undefined || !isJsonObject(desired)) return {}
  return Object.fromEntries(Object.entries(desired).filter(([key]) => !key.startsWith('$')))
}
