import { clip, type DeviceId, HubError, type JsonObject, type TwinPatch } from '@muster/contract'
import { type Db, patchTwin, readProperties } from '@muster/store'
import type { Deps } from './endpoint.ts'
import { unknownDevice } from './unknown-device.ts'

/**
 * Patches a twin, and then tells the device if it is connected. One that cannot be told reads its twin when it connects
 * again. `etag` null: whatever the twin is.
 * @throws HubError DeviceNotFound, PreconditionFailed, and ArgumentInvalid when a section would grow too large
 */
export async function patchAndPush(
  { db, bus, clock, events }: Deps,
  deviceId: DeviceId,
  { patch, etag }: { patch: TwinPatch; etag: string | null },
) {
  const desired = patch.desired === null ? await emptied(db, deviceId) : patch.desired
  const patched = await patchTwin(db, deviceId, patch, { etag }, clock.now())
  if (patched.kind === 'missing') throw unknownDevice(deviceId)
  if (patched.kind === 'etag') {
    throw new HubError('PreconditionFailed', {
      message: `The twin of ${deviceId} has another etag than "${clip(etag ?? '')}"; read it again`,
    })
  }
  if (desired === undefined || patched.gatewayId === null) return patched

  const push = { patch: desired, devices: [{ deviceId, version: patched.desiredVersion }] }
  const isTold = await bus.pushDesired(patched.gatewayId, push)
  if (!isTold) events.wakeUpLost({ kind: 'desired' })
  return patched
}

/** Devices merge what they are told: a section that is cleared is told as each of its members being removed. */
async function emptied(db: Db, deviceId: DeviceId): Promise<JsonObject> {
  const properties = await readProperties(db, deviceId)
  const keys = Object.keys(properties?.desired ?? {}).filter((key) => key !== '$version')
  return Object.fromEntries(keys.map((key) => [key, null]))
}
