import {
  type DeviceId,
  type IdentityKey,
  type ModuleKey,
  moduleKey,
  parseDeviceId,
  parseModuleId,
} from '@muster/contract'
import type { ApiContext } from './endpoint.ts'

/** The device that a path names. @throws HubError ArgumentInvalid for what no device can be called */
export function addressedDevice(c: ApiContext): DeviceId {
  return parseDeviceId(c.req.param('deviceId') ?? '')
}

/** The module that a path names. @throws HubError ArgumentInvalid for what no module can be called */
export function addressedModule(c: ApiContext): ModuleKey {
  return moduleKey(addressedDevice(c), parseModuleId(c.req.param('moduleId') ?? ''))
}

/** The module, or the device where the path names none. */
export function addressedIdentity(c: ApiContext): IdentityKey {
  return c.req.param('moduleId') === undefined ? addressedDevice(c) : addressedModule(c)
}
