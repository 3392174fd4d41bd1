import {
  type DeviceId,
  type IdentityKey,
  type ModuleKey,
  moduleKey,
  parseDeviceId,
  parseModuleId,
} from '@muster/contract'
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
