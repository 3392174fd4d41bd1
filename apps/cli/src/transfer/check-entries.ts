import type { IdentityKey } from '@muster/contract'
import { type EntryOrFault, type Fault, isFault, isModule } from '../files/entry.ts'

/** What a file holds. */
export interface Checked {
  readonly devices: number
  readonly modules: number
  readonly faultCount: number
  /** The first ones. */
  readonly faults: readonly Fault[]
}

/** How many of a kind a report names. It counts the rest. */
export const namedMax = 20

/** Reads a file to its end, before anything is sent. An identity that comes twice is a fault. */
export async function checkEntries(lines: AsyncIterable<EntryOrFault>): Promise<Checked> {
  const places = new Map<IdentityKey, string>()
  const faults: Fault[] = []
  let faultCount = 0
  let modules = 0
  for await (const line of withoutRepeats(lines, places)) {
    if (isFault(line)) {
      faultCount += 1
      if (faults.length < namedMax) faults.push(line)
    } else if (isModule(line)) {
      modules += 1
    }
  }
  return { devices: places.size - modules, modules, faultCount, faults }
}

/** The second entry of an identity becomes a fault. `places` remembers where each was first. */
export async function* withoutRepeats(
  lines: AsyncIterable<EntryOrFault>,
  places = new Map<IdentityKey, string>(),
): AsyncGenerator<EntryOrFault> {
  for await (const line of lines) {
    const first = isFault(line) ? undefined : places.get(line.identity)
    if (!isFault(line) && first === undefined) places.set(line.identity, line.place)
    yield isFault(line) || first === undefined
      ? line
      : { place: line.place, complaint: `${line.identity} stands in ${first} already` }
  }
}
