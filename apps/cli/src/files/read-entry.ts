import { checkNewEntry, foldMembers, HubError, type JsonObject, type NumberText } from '@muster/contract'
import type { EntryOrFault } from './entry.ts'

/** Checks an entry by the rules of the hub. It may leave out importMode, and can only create. */
export function readEntry(place: string, given: JsonObject, numberText?: NumberText): EntryOrFault {
  const { importMode = null } = foldMembers(given, { importMode: null })
  const body = importMode === null ? { ...given, importMode: 'create' } : given
  try {
    return { place, identity: checkNewEntry(body, numberText), body }
  } catch (error) {
    if (error instanceof HubError) return { place, complaint: error.message }
    throw error
  }
}
