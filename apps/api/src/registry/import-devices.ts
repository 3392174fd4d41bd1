import { HubError, partsOf } from '@muster/contract'
import { deleteIdentities, findOwnersWithModules, insertIdentities } from '@muster/store'
import type { Deps } from '../http/endpoint.ts'
import { unknownDevice } from '../http/unknown-identity.ts'
import { patchAndNotify } from '../twins/change-twin.ts'
import { type Change, type Refusal, refuse } from './bulk-body.ts'
import { endWaits } from './end-waits.ts'
import { changeIdentity, closeConnections, createIdentity, deviceExists, removeIdentity } from './identities.ts'

/**
 * Carries out the changes of a bulk request separately, and returns the failed ones. Devices are created first and deleted last,
 * because the request may also hold their modules.
 */
export async function importDevices(deps: Deps, changes: readonly Change[]): Promise<Refusal[]> {
  const refusals = await createDevices(deps, changes)
  // Other changes read before they write, one identity at a time. A request has at most 100.
  for (const change of changes) {
    const refusal = await changeOne(deps, change)
    if (refusal !== null) refusals.push(refusal)
  }
  return [...refusals, ...(await deleteDevices(deps, changes))]
}

async function createDevices({ db, bus, clock }: Deps, changes: readonly Change[]): Promise<Refusal[]> {
  const drafts = changes.flatMap((change) => (change.kind === 'create' && !isModule(change) ? [change.draft] : []))
  if (drafts.length === 0) return []
  const created = new Set(await insertIdentities(db, drafts, clock.now()))
  bus.noteChanged([...created])
  return drafts
    .filter(({ identity }) => !created.has(identity))
    .map(({ identity }) => refuse(partsOf(identity), deviceExists(identity)))
}

async function deleteDevices(deps: Deps, changes: readonly Change[]): Promise<Refusal[]> {
  const deviceIds = changes.flatMap((change) => (isPlainDeletion(change) ? [partsOf(change.identity).deviceId] : []))
  if (deviceIds.length === 0) return []
  const owners = await findOwnersWithModules(deps.db, deviceIds)
  const deleted = new Set<string>(await deleteIdentities(deps.db, deviceIds))
  await Promise.all([closeConnections(deps, owners, 'deleted'), endWaits(deps, deviceIds)])
  return deviceIds
    .filter((deviceId) => !deleted.has(deviceId))
    .map((deviceId) => refuse({ deviceId, moduleId: null }, unknownDevice(deviceId)))
}

function isPlainDeletion(change: Change): boolean {
  return change.kind === 'delete' && change.etag === null && !isModule(change)
}

function isModule({ identity }: Change): boolean {
  return partsOf(identity).moduleId !== null
}

async function changeOne(deps: Deps, change: Change): Promise<Refusal | null> {
  const { identity } = change
  try {
    if (change.kind === 'create' && isModule(change)) await createIdentity(deps, change.draft)
    if (change.kind === 'update') await changeIdentity(deps, change)
    if (change.kind === 'patchTwin') await patchAndNotify(deps, identity, change)
    if (change.kind === 'delete' && !isPlainDeletion(change)) await removeIdentity(deps, identity, change.etag)
    return null
  } catch (error) {
    if (error instanceof HubError) return refuse(partsOf(identity), error)
    throw error
  }
}
