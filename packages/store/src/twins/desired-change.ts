import { type IdentityKey, isJsonObject, type JsonObject } from '@muster/contract'

/**
 * A change of desired properties, for those whose twins it changed: they are told of it, when they are connected and it has
 * been committed. Whoever merges the patch into what it had has what its twin has now.
 */
export interface DesiredChange {
  readonly patch: JsonObject
  /** The version that each twin has reached by it. */
  readonly versions: readonly { readonly identity: IdentityKey; readonly version: number }[]
}

/** The patch that leads from one state of a section to another: all that is there now, and null for what is not any more. */
export function replacementOf(before: JsonObject, after: JsonObject): JsonObject {
  const removed = Object.keys(before).filter((key) => !Object.hasOwn(after, key))
  const kept = Object.entries(after).map(([key, value]) => {
    const previous = Object.hasOwn(before, key) ? before[key] : undefined
    return [key, isJsonObject(value) && isJsonObject(previous) ? replacementOf(previous, value) : value]
  })
  return Object.fromEntries([...removed.map((key) => [key, null]), ...kept])
}
