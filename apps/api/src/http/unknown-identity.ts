import { clip, HubError, type IdentityKey, partsOf } from '@muster/contract'
import { type Db, readIdentity } from '@muster/store'

export function unknownDevice(deviceId: string): HubError {
  return new HubError('DeviceNotFound', { message: `There is no device with the id ${clip(deviceId)}` })
}

/** The error for a missing identity. For a module, its device may be the missing one. */
export async function unknownIdentity(db: Db, identity: IdentityKey): Promise<HubError> {
  const { deviceId, moduleId } = partsOf(identity)
  if (moduleId === null || (await readIdentity(db, deviceId)) === null) return unknownDevice(deviceId)
  return new HubError('ModuleNotFound', {
    message: `There is no module with the id ${clip(moduleId)} on the device ${clip(deviceId)}`,
  })
}
