import type { Client } from '@muster/client'
import { limits } from '@muster/contract'
import type { Fault } from '../files/entry.ts'
import { namedMax } from './check-entries.ts'

/** What became of the places under edge devices. */
export interface ParentReport {
  readonly placed: number
  readonly failedCount: number
  /** The first ones. */
  readonly failed: readonly Fault[]
}

/** Puts devices under their edge devices. `parents` has the parent of each. To do it again changes nothing. */
export async function placeUnderParents(
  client: Client,
  parents: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<ParentReport> {
  const failed: Fault[] = []
  let placed = 0
  for (const [parent, children] of byParent(parents)) {
    const { deviceScope } = await client.devices.get(parent, { signal })
    if (deviceScope === undefined) {
      failed.push(
        ...children.map((child) => ({ place: `device ${child}`, complaint: `its parent ${parent} is no edge device` })),
      )
      continue
    }
    for (let from = 0; from < children.length; from += limits.bulkDevices) {
      const batch = children.slice(from, from + limits.bulkDevices)
      // An edge device has its own scope, and that of its parent among its parent scopes. Any other device has that of its parent.
      const changes = batch.map(
        (id) => ({ id, importMode: 'update', deviceScope, parentScopes: [deviceScope] }) as const,
      )
      const { errors } = await client.devices.change(changes, { signal })
      placed += batch.length - errors.length
      failed.push(
        ...errors.map(({ deviceId, errorStatus }) => ({ place: `device ${deviceId}`, complaint: errorStatus })),
      )
    }
  }
  return { placed, failedCount: failed.length, failed: failed.slice(0, namedMax) }
}

function byParent(parents: ReadonlyMap<string, string>): ReadonlyMap<string, readonly string[]> {
  const children = new Map<string, string[]>()
  for (const [child, parent] of parents) children.set(parent, [...(children.get(parent) ?? []), child])
  return children
}
