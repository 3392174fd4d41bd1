import { isDeepStrictEqual } from 'node:util'
import { clip, type DeviceId, type GatewayId, HubError } from '@muster/contract'
import { type Device, type DeviceIdentity, deleteDevice, findOwners, readDevice, updateDevice } from '@muster/store'
import { draftDevice, type Identity } from './device-body.ts'
import type { Deps } from './endpoint.ts'
import { unknownDevice } from './unknown-device.ts'

/** How often an update starts again because the identity changed between reading and writing it. */
const attemptsMax = 5

/**
 * Updates an identity and returns it. What the caller leaves out is kept, so the write is guarded by the etag of what was
 * read, even when the caller takes any state (`etag` null). A device that is disabled, or has other keys now, loses
 * its connection.
 * @throws HubError DeviceNotFound, PreconditionFailed
 */
export async function updateIdentity(
  deps: Deps,
  { deviceId, identity, etag }: { deviceId: DeviceId; identity: Identity; etag: string | null },
): Promise<Device> {
  const { db, clock } = deps
  for (let attempt = 1; ; attempt += 1) {
    const current = await readDevice(db, deviceId)
    if (current === null) throw unknownDevice(deviceId)
    const draft = draftDevice(deviceId, identity, current)
    const result = await updateDevice(db, draft, { etag: etag ?? current.etag }, clock.now())
    if (result === 'missing') throw unknownDevice(deviceId)
    if (result === 'etag' && (etag !== null || attempt === attemptsMax)) throw otherEtag(deviceId, etag ?? current.etag)
    if (result === 'etag') continue

    const reason = closeReason(draft, current)
    if (reason !== null) await closeConnections(deps, await findOwners(db, [deviceId]), reason)
    return readExisting(deps, deviceId)
  }
}

function closeReason(draft: DeviceIdentity, current: Device): 'disabled' | 'rekeyed' | null {
  if (draft.status === 'disabled') return 'disabled'
  return isDeepStrictEqual(draft.authentication, current.authentication) ? null : 'rekeyed'
}

/** Deletes a device and ends its connection. @throws HubError DeviceNotFound, PreconditionFailed */
export async function removeDevice(deps: Deps, deviceId: DeviceId, etag: string | null): Promise<void> {
  // The session goes with the device: its owner has to be known before.
  const owners = await findOwners(deps.db, [deviceId])
  const result = await deleteDevice(deps.db, deviceId, etag)
  if (result === 'missing') throw unknownDevice(deviceId)
  if (result === 'etag') throw otherEtag(deviceId, etag)
  await closeConnections(deps, owners, 'deleted')
}

/** @throws HubError DeviceNotFound */
export async function readExisting({ db }: Pick<Deps, 'db'>, deviceId: DeviceId): Promise<Device> {
  const device = await readDevice(db, deviceId)
  if (device === null) throw unknownDevice(deviceId)
  return device
}

/**
 * Tells the gateways. One that cannot be told finds out when it next compares its connections with the store; of other keys,
 * when the device's token ends.
 */
export async function closeConnections(
  { bus, events }: Deps,
  owners: readonly { deviceId: DeviceId; gatewayId: GatewayId }[],
  reason: 'disabled' | 'rekeyed' | 'deleted',
): Promise<void> {
  for (const { deviceId, gatewayId } of owners) {
    const isTold = await bus.closeConnection(gatewayId, { deviceId, connectionNo: null, reason })
    if (!isTold) events.wakeUpLost({ kind: 'connection' })
  }
}

export function deviceExists(deviceId: string): HubError {
  return new HubError('DeviceAlreadyExists', { message: `A device with the id ${deviceId} exists already` })
}

function otherEtag(deviceId: string, etag: string | null): HubError {
  return new HubError('PreconditionFailed', {
    message: `The device ${deviceId} has another etag than "${clip(etag ?? '')}"; read it again`,
  })
}
