import { isDeepStrictEqual } from 'node:util'
import { clip, HubError, type IdentityBody, type IdentityKey, limits, partsOf, unreachable } from '@muster/contract'
import {
  deleteIdentity,
  findOwners,
  findOwnersWithModules,
  type Identity,
  type IdentityDraft,
  type IdentitySettings,
  insertIdentities,
  insertModule,
  lockIdentity,
  type Owner,
  readIdentity,
  updateIdentity,
} from '@muster/store'
import type { Deps } from '../http/endpoint.ts'
import type { readIfMatch } from '../http/etag.ts'
import { unknownDevice, unknownIdentity } from '../http/unknown-identity.ts'
import { endWaits } from './end-waits.ts'
import { draftIdentity, draftModule, withRenewedKeys } from './identity-body.ts'

/** A PUT: without If-Match it creates the identity, with If-Match it updates it. Returns the identity. */
export async function putIdentity(
  deps: Deps,
  {
    identity,
    body,
    isAsRead,
    ifMatch,
  }: { identity: IdentityKey; body: IdentityBody; isAsRead: boolean; ifMatch: ReturnType<typeof readIfMatch> },
): Promise<Identity> {
  if (ifMatch.isGiven) {
    return changeIdentity(deps, { identity, body: withRenewedKeys(body, { isAsRead }), etag: ifMatch.etag })
  }
  await createIdentity(deps, draftOf(identity, body, null))
  return readExisting(deps, identity)
}

/** @throws HubError DeviceAlreadyExists, and for a module DeviceNotFound, ModuleAlreadyExistsOnDevice, TooManyModulesOnDevice */
export async function createIdentity({ db, bus, clock }: Deps, draft: IdentityDraft): Promise<void> {
  const { deviceId, moduleId } = partsOf(draft.identity)
  if (moduleId === null) {
    const created = await insertIdentities(db, [draft], clock.now())
    if (created.length === 0) throw deviceExists(deviceId)
    bus.noteChanged(created)
    return
  }
  const result = await insertModule(db, deviceId, draft, clock.now())
  switch (result) {
    case 'created':
      return
    case 'noDevice':
      throw unknownDevice(deviceId)
    case 'exists':
      throw new HubError('ModuleAlreadyExistsOnDevice', {
        message: `A module with the id ${moduleId} exists already on the device ${deviceId}`,
      })
    case 'tooMany':
      throw new HubError('TooManyModulesOnDevice', {
        message: `The device ${deviceId} has ${limits.modulesPerDevice} modules, the most that are allowed`,
      })
    default:
      return unreachable(result)
  }
}

/**
 * Updates an identity and returns it. Members that the caller leaves out are kept, so the identity is locked from reading to writing:
 * an update that takes any etag (`etag` null) is never refused, however many come at once. A disabled device loses its connection and
 * those of its modules. An identity with other keys loses its connection, unless the key that opened it is still there.
 * @throws HubError DeviceNotFound, ModuleNotFound, PreconditionFailed
 */
export async function changeIdentity(
  deps: Deps,
  { identity, body, etag }: { identity: IdentityKey; body: IdentityBody; etag: string | null },
): Promise<Identity> {
  const { before, draft, after } = await deps.db.transaction(async (tx) => {
    const before = await lockIdentity(tx, identity)
    if (before === null) throw await unknownIdentity(tx, identity)
    const draft = draftOf(identity, body, before)
    const result = await updateIdentity(tx, draft, { etag }, deps.clock.now())
    if (result === 'etag') throw otherEtag(identity, etag)
    return { before, draft, after: await readExisting({ db: tx }, identity) }
  })
  deps.bus.noteChanged([identity])
  await endConnections(deps, draft, before)
  return after
}

function draftOf(identity: IdentityKey, body: IdentityBody, current: Identity | null): IdentityDraft {
  return (partsOf(identity).moduleId === null ? draftIdentity : draftModule)(identity, body, current)
}

async function endConnections(deps: Deps, draft: IdentitySettings, current: Identity): Promise<void> {
  const { identity } = draft
  if (draft.status === 'disabled') {
    await closeConnections(deps, await findOwnersWithModules(deps.db, [identity]), 'disabled')
  } else if (!isDeepStrictEqual(draft.authentication, current.authentication)) {
    await closeConnections(deps, await findOwners(deps.db, [identity]), 'rekeyed')
  }
}

/** Deletes an identity, and the modules of a device, and ends their connections and what waits for them. @throws HubError as `changeIdentity` */
export async function removeIdentity(deps: Deps, identity: IdentityKey, etag: string | null): Promise<void> {
  // The sessions go with the identity, so their owners are read first.
  const owners = await findOwnersWithModules(deps.db, [identity])
  const result = await deleteIdentity(deps.db, identity, etag)
  if (result === 'missing') throw await unknownIdentity(deps.db, identity)
  if (result === 'etag') throw otherEtag(identity, etag)
  await Promise.all([closeConnections(deps, owners, 'deleted'), endWaits(deps, [identity])])
}

/** @throws HubError DeviceNotFound, ModuleNotFound */
export async function readExisting({ db }: Pick<Deps, 'db'>, identity: IdentityKey): Promise<Identity> {
  const found = await readIdentity(db, identity)
  if (found === null) throw await unknownIdentity(db, identity)
  return found
}

/** Tells the gateways, all at once. A gateway that misses it learns it when it next compares its connections with the store. */
export async function closeConnections(
  { bus, events }: Deps,
  owners: readonly Owner[],
  reason: 'disabled' | 'rekeyed' | 'deleted',
): Promise<void> {
  const told = await Promise.all(
    owners.map(({ identity, gatewayId }) => bus.closeConnection(gatewayId, { identity, connectionNo: null, reason })),
  )
  for (const isTold of told) if (!isTold) events.wakeUpLost({ kind: 'connection' })
}

export function deviceExists(deviceId: string): HubError {
  return new HubError('DeviceAlreadyExists', { message: `A device with the id ${deviceId} exists already` })
}

function otherEtag(identity: IdentityKey, etag: string | null): HubError {
  return new HubError('PreconditionFailed', {
    message: `${identity} has another etag than "${clip(etag ?? '')}"; read it again`,
  })
}
