import {
  type DeviceId,
  type IdentityKey,
  type ModuleKey,
  moduleKey,
  parseDeviceId,
  parseModuleId,
} from '@muster/contract'
import type { Context } from 'hono'
import type { ApiContext } from './endpoint.ts'

/** The device that a path names. @throws HubError ArgumentInvalid for a text that is no device id */
export function addressedDevice(c: ApiContext): DeviceId {
  return parseDeviceId(c.req.param('deviceId') ?? '')
}

/** The module that a path names. @throws HubError ArgumentInvalid for a text that is no module id */
export function addressedModule(c: ApiContext): ModuleKey {
  return moduleKey(addressedDevice(c), parseModuleId(c.req.param('moduleId') ?? ''))
}

/** The module, or the device if the path names no module. */
export function addressedIdentity(c: ApiContext): IdentityKey {
  return c.req.param('moduleId') === undefined ? addressedDevice(c) : addressedModule(c)
}

/** A parameter behind the path, whose name may have any letter case. The exact spelling wins over its variants. */
export function queryParameter(c: Context, name: string): string | undefined {
  const exact = c.req.query(name)
  if (exact !== undefined) return exact
  return Object.entries(c.req.query()).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1]
}
