import { type Client, MusterError } from '@muster/client'
import { limits } from '@muster/contract'
import type { Fault } from '../files/entry.ts'
import { namedMax } from './check-entries.ts'
import { createPatience } from './patience.ts'

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
  const patiently = createPatience(signal)
  const failed: Fault[] = []
  let placed = 0
  for (const [parent, children] of byParent(parents)) {
    const deviceScope = await patiently(() => scopeOf(client, parent, signal))
    if (deviceScope === null) {
      const complaint = `its parent ${parent} is no edge device of this hub`
      failed.push(...children.map((child) => ({ place: `device ${child}`, complaint })))
      continue
    }
    for (let from = 0; from < children.length; from += limits.bulkDevices) {
      const batch = children.slice(from, from + limits.bulkDevices)
      // An edge device has its own scope, and that of its parent among its parent scopes. Any other device has that of its parent.
      const changes = batch.map(
        (id) => ({ id, importMode: 'update', deviceScope, parentScopes: [deviceScope] }) as const,
      )
      const { errors } = await patiently(() => client.devices.change(changes, { signal }))
      placed += batch.length - errors.length
      failed.push(
        ...errors.map(({ deviceId, errorStatus }) => ({ place: `device ${deviceId}`, complaint: errorStatus })),
      )
    }
  }
  return { placed, failedCount: failed.length, failed: failed.slice(0, namedMax) }
}

/** Null: there is no such edge device. */
async function scopeOf(client: Client, parent: string, signal: AbortSignal): Promise<string | null> {
  try {
    return (await client.devices.get(parent, { signal })).deviceScope ?? null
  } catch (error) {
    if (error instanceof MusterError && error.status === 404) return null
    throw error
  }
}

function byParent(parents: ReadonlyMap<string, string>): ReadonlyMap<string, readonly string[]> {
  const children = new Map<string, string[]>()
  for (const [child, parent] of parents) children.set(parent, [...(children.get(parent) ?? []), child])
  return children
}
