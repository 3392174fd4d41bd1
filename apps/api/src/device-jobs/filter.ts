import { clip, type DeviceJobStatus, deviceJobStatuses, HubError } from '@muster/contract'
import type { DeviceFilter } from '@muster/store'
import { queryParameter } from '../http/address.ts'
import type { ApiContext } from '../http/endpoint.ts'

/** The parameters of the filter, for the document. */
export const filterQuery = {
  status: `Only devices in one of these statuses, separated by commas: ${deviceJobStatuses.join(', ')}`,
  errorCode: 'Only devices that failed with one of these codes, separated by commas, such as GatewayTimeout',
  deviceId: 'Only this device',
}

/** Which devices the caller wants. @throws HubError ArgumentInvalid for a status that no device can have */
export function readFilter(c: ApiContext): DeviceFilter {
  return {
    statuses: readList(c, 'status')?.map(parseStatus) ?? null,
    errorCodes: readList(c, 'errorCode'),
    // An id may hold commas.
    deviceId: queryParameter(c, 'deviceId') || null,
  }
}

/** Null: the parameter is missing or empty. */
export function readList(c: ApiContext, name: string): readonly string[] | null {
  const items = (queryParameter(c, name) ?? '').split(',').map((item) => item.trim())
  const given = items.filter((item) => item !== '')
  return given.length === 0 ? null : given
}

/** Devices are `canceled`, jobs `cancelled`: who writes one for the other means the same. */
function parseStatus(text: string): DeviceJobStatus {
  const word = text.toLowerCase() === 'cancelled' ? 'canceled' : text.toLowerCase()
  const status = deviceJobStatuses.find((known) => known === word)
  if (status !== undefined) return status
  throw new HubError('ArgumentInvalid', {
    message: `status must be one of ${deviceJobStatuses.join(', ')}, or several separated by commas, got "${clip(text)}"`,
  })
}
