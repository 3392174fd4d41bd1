import { readFile } from 'node:fs/promises'
import { isJsonObject, type Json, type JsonObject } from '@muster/contract'
import { CommandError } from '../failure.ts'
import type { EntryOrFault } from './entry.ts'
import { readEntry } from './read-entry.ts'

/** What `az iot hub state export` has written. */
export interface HubState {
  read(): AsyncGenerator<EntryOrFault>
  /** Edge devices by the devices below them. */
  readonly parents: ReadonlyMap<string, string>
  /** What Muster has no place for, each with its number. */
  readonly notTaken: readonly { readonly what: string; readonly count: number }[]
}

/** Every edge device gets them by itself. */
const systemModules: ReadonlySet<string> = new Set(['$edgeAgent', '$edgeHub'])

/** Rejects when the file is no such state. */
export async function readStateFile(path: string): Promise<HubState> {
  const state = parse(path, await readFile(path, 'utf8'))
  const devices = state.devices === undefined ? {} : objectAt(path, 'devices', state.devices)
  const parts = Object.entries(devices).map(([deviceId, device]) => ({
    deviceId,
    device: objectAt(path, `devices.${deviceId}`, device),
  }))
  return {
    read: async function* () {
      for (const { deviceId, device } of parts) yield* entriesOf(deviceId, device)
    },
    parents: new Map(
      parts.flatMap(({ deviceId, device }) => (typeof device.parent === 'string' ? [[deviceId, device.parent]] : [])),
    ),
    notTaken: notTaken(state, parts),
  }
}

function parse(path: string, text: string): JsonObject {
  try {
    const state: unknown = JSON.parse(text)
    if (isJsonObject(state) && ('devices' in state || 'configurations' in state || 'arm' in state)) return state
  } catch (cause) {
    throw new CommandError(`${path} is no JSON`, { cause })
  }
  throw new CommandError(
    `${path} is not the state of a hub: expected an object with devices, as az iot hub state export writes it`,
  )
}

function objectAt(path: string, name: string, value: Json): JsonObject {
  if (isJsonObject(value)) return value
  throw new CommandError(`${path}: ${name} must be an object, as az iot hub state export writes it`)
}

function* entriesOf(deviceId: string, device: JsonObject): Generator<EntryOrFault> {
  yield readEntry(`device ${deviceId}`, { ...identityOf(device.identity), ...twinOf(device.twin), id: deviceId })
  for (const [moduleId, module] of Object.entries(inside(device, 'modules'))) {
    if (systemModules.has(moduleId) || !isJsonObject(module)) continue
    yield readEntry(`module ${moduleId} of device ${deviceId}`, {
      ...identityOf(module.identity),
      ...twinOf(module.twin),
      id: deviceId,
      moduleId,
    })
  }
}

const identityMembers = ['status', 'statusReason', 'authentication', 'capabilities', 'managedBy'] as const

function identityOf(identity: Json | undefined): JsonObject {
  const given: JsonObject = isJsonObject(identity) ? identity : {}
  return Object.fromEntries(identityMembers.flatMap((name) => (given[name] == null ? [] : [[name, given[name]]])))
}

function twinOf(twin: Json | undefined): JsonObject {
  const given: JsonObject = isJsonObject(twin) ? twin : {}
  return { tags: given.tags ?? {}, properties: { desired: inside(inside(given, 'properties'), 'desired') } }
}

function notTaken(state: JsonObject, parts: readonly { readonly device: JsonObject }[]): HubState['notTaken'] {
  const modules = parts.flatMap(({ device }) => Object.keys(inside(device, 'modules')))
  const configurations = inside(state, 'configurations')
  const counts = [
    { what: 'automatic device configurations', count: membersOf(configurations.admConfigurations) },
    { what: 'edge deployments', count: membersOf(configurations.edgeDeployments) },
    { what: 'system modules ($edgeAgent, $edgeHub)', count: modules.filter((name) => systemModules.has(name)).length },
    {
      what: 'Azure resources (arm: endpoints, routes, certificates)',
      count: membersOf(inside(state, 'arm').resources),
    },
    ...Object.keys(state)
      .filter((name) => !['devices', 'configurations', 'arm'].includes(name))
      .map((name) => ({ what: `"${name}"`, count: membersOf(state[name]) })),
  ]
  return counts.filter(({ count }) => count > 0)
}

function inside(object: JsonObject, name: string): JsonObject {
  const value = object[name]
  return value !== undefined && isJsonObject(value) ? value : {}
}

function membersOf(value: Json | undefined): number {
  return typeof value === 'object' && value !== null ? Object.keys(value).length : 0
}
