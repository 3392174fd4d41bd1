import { isJsonObject, type Json, type JsonObject } from '@muster/contract'

/** What a patch does to a section, written to be read: the compiled statement must do the same. */
export function mergePatch(section: JsonObject, patch: JsonObject | null): JsonObject {
  if (patch === null) return {}
  const members = new Map<string, Json>(Object.entries(section))
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) members.delete(key)
    else members.set(key, isJsonObject(value) ? mergePatch(objectIn(members, key), value) : value)
  }
  return Object.fromEntries(members)
}

/** What the same patch does to the section's metadata. */
export function mergeStamps(metadata: JsonObject, patch: JsonObject | null, stamp: JsonObject): JsonObject {
  if (patch === null) return stamp
  const stamps = new Map<string, Json>(Object.entries({ ...metadata, ...stamp }))
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) stamps.delete(key)
    else stamps.set(key, isJsonObject(value) ? mergeStamps(objectIn(stamps, key), value, stamp) : stamp)
  }
  return Object.fromEntries(stamps)
}

function objectIn(members: ReadonlyMap<string, Json>, key: string): JsonObject {
  const value = members.get(key)
  return isJsonObject(value) ? value : {}
}
