import { type IdentityKey, type JsonObject, partsOf } from '@muster/contract'

/** A device or a module to create, as a file tells it. */
export interface Entry {
  /** Such as `line 7`. */
  readonly place: string
  readonly identity: IdentityKey
  /** As a bulk request takes it. */
  readonly body: JsonObject
}

/** A part of a file that no hub would take. */
export interface Fault {
  readonly place: string
  readonly complaint: string
}

export type EntryOrFault = Entry | Fault

export function isFault(line: EntryOrFault): line is Fault {
  return 'complaint' in line
}

export function isModule({ identity }: Entry): boolean {
  return partsOf(identity).moduleId !== null
}
