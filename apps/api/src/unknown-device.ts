import { clip, HubError } from '@muster/contract'

export function unknownDevice(deviceId: string): HubError {
  return new HubError('DeviceNotFound', { message: `There is no device with the id ${clip(deviceId)}` })
}
