import { HubError } from '@muster/contract'
import { deleteDevices, findOwners, insertDevices } from '@muster/store'
import { type Change, type Refusal, refuse } from './bulk-body.ts'
import type { Deps } from './endpoint.ts'
import { patchAndPush } from './patch-twin.ts'
import { closeConnections, deviceExists, removeDevice, updateIdentity } from './registry.ts'
import { unknownDevice } from './unknown-device.ts'

/** Carries out the changes of a bulk request, each for itself, and returns those that could not be. */
export async function importDevices(deps: Deps, changes: readonly Change[]): Promise<Refusal[]> {
  const refusals = [...(await createAll(deps, changes)), ...(await deleteAll(deps, changes))]
  // The rest reads before it writes, each device for itself; a request holds at most 100.
  for (const change of changes) {
    const refusal = await changeOne(deps, change)
    if (refusal !== null) refusals.push(refusal)
  }
  return refusals
}

async function createAll({ db, clock }: Deps, changes: readonly Change[]): Promise<Refusal[]> {
  const drafts = changes.flatMap((change) => (change.kind === 'create' ? [change.draft] : []))
  if (drafts.length === 0) return []
  const created = new Set(await insertDevices(db, drafts, clock.now()))
  return drafts
    .filter(({ deviceId }) => !created.has(deviceId))
    .map(({ deviceId }) => refuse(deviceId, deviceExists(deviceId)))
}

async function deleteAll(deps: Deps, changes: readonly Change[]): Promise<Refusal[]> {
  const deviceIds = changes.flatMap((change) => (isPlainDelete(change) ? [change.deviceId] : []))
  if (deviceIds.length === 0) return []
  const owners = await findOwners(deps.db, deviceIds)
  const deleted = new Set(await deleteDevices(deps.db, deviceIds))
  await closeConnections(deps, owners, 'deleted')
  return deviceIds
    .filter((deviceId) => !deleted.has(deviceId))
    .map((deviceId) => refuse(deviceId, unknownDevice(deviceId)))
}

function isPlainDelete(change: Change): boolean {
  return change.kind === 'delete' && change.etag === null
}

async function changeOne(deps: Deps, change: Change): Promise<Refusal | null> {
  try {
    if (change.kind === 'update') await updateIdentity(deps, change)
    if (change.kind === 'patchTwin') await patchAndPush(deps, change.deviceId, change)
    if (change.kind === 'delete' && !isPlainDelete(change)) await removeDevice(deps, change.deviceId, change.etag)
    return null
  } catch (error) {
    if (error instanceof HubError) return refuse(change.deviceId, error)
    throw error
  }
}
