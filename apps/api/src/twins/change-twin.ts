import { clip, HubError, type IdentityKey, type TwinPatch, type TwinSections } from '@muster/contract'
import { notifyDesired } from '@muster/operations'
import { type ChangedTwin, patchTwin, replaceTwin } from '@muster/store'
import type { Deps } from '../http/endpoint.ts'
import { unknownIdentity } from '../http/unknown-identity.ts'

type Changed = Extract<ChangedTwin, { kind: 'changed' }>

/**
 * Patches a twin, and then tells its device or module if that is connected. If the process dies in between, or the message is lost,
 * the gateway repairs it. `etag` null: any etag.
 * @throws HubError DeviceNotFound, ModuleNotFound, PreconditionFailed, and ArgumentInvalid when a section would grow too large
 */
export async function patchAndNotify(
  deps: Deps,
  identity: IdentityKey,
  { patch, etag }: { patch: TwinPatch; etag: string | null },
): Promise<Changed> {
  const result = await patchTwin(deps.db, identity, patch, { etag }, deps.clock.now())
  return notify(deps, identity, await requireChanged(deps, identity, result, etag))
}

/** The same, but the tags and desired properties replace those of the twin. */
export async function replaceAndNotify(
  deps: Deps,
  identity: IdentityKey,
  { sections, etag }: { sections: TwinSections; etag: string | null },
): Promise<Changed> {
  const result = await replaceTwin(deps.db, identity, sections, { etag }, deps.clock.now())
  return notify(deps, identity, await requireChanged(deps, identity, result, etag))
}

async function requireChanged(
  { db }: Deps,
  identity: IdentityKey,
  result: ChangedTwin,
  etag: string | null,
): Promise<Changed> {
  if (result.kind === 'changed') return result
  if (result.kind === 'missing') throw await unknownIdentity(db, identity)
  throw new HubError('PreconditionFailed', {
    message: `The twin of ${clip(identity)} has another etag than "${clip(etag ?? '')}"; read it again`,
  })
}

async function notify(deps: Deps, identity: IdentityKey, changed: Changed): Promise<Changed> {
  deps.bus.noteChanged([identity])
  const areTold = changed.desired === null || (await notifyDesired(deps, [changed.desired]))
  if (!areTold) deps.events.wakeUpLost({ kind: 'desired' })
  return changed
}
