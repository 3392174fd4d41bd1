import { type IdentityKey, isJsonObject, type JsonObject } from '@muster/contract'

/**
 * A change of desired properties, for the identities whose twins it changed. Connected ones are told about it after the commit. A
 * device that merges the patch into its own copy has the same properties as its twin.
 */
export interface DesiredChange {
  readonly patch: JsonObject
  /** The new version of each twin. */
  readonly versions: readonly { readonly identity: IdentityKey; readonly version: number }[]
}

/** The patch that leads from one state of a section to another: all members of the new one, and null for each removed member. */
export function replacementOf(before: JsonObject, after: JsonObject): JsonObject {
  const removed = Object.keys(before).filter((key) => !Object.hasOwn(after, key))
  const kept = Object.entries(after).map(([key, value]) => {
    const previous = Object.hasOwn(before, key) ? before[key] : undefined
    return [key, isJsonObject(value) && isJsonObject(previous) ? replacementOf(previous, value) : value]
  })
  return Object.fromEntries([...removed.map((key) => [key, null]), ...kept])
}
