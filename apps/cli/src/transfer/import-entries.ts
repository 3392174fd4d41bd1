import type { Client } from '@muster/client'
import { type Entry, type EntryOrFault, type Fault, isFault, isModule } from '../files/entry.ts'
import { checkEntries, namedMax, withoutRepeats } from './check-entries.ts'
import { type Ending, uploadEntries } from './upload.ts'

/** What became of a file. What it names at `faults`, `different` and `refused` are the first ones. */
export interface ImportReport {
  readonly devices: number
  readonly modules: number
  readonly created: number
  /** The hub had them, as the file says. */
  readonly same: number
  readonly differentCount: number
  readonly different: readonly {
    readonly identity: string
    readonly place: string
    readonly members: readonly string[]
  }[]
  readonly refusedCount: number
  readonly refused: readonly Fault[]
  readonly faultCount: number
  readonly faults: readonly Fault[]
  /** False: the file has faults, and nothing was sent. */
  readonly isSent: boolean
}

export interface ImportOptions {
  /** Leaves out what has a fault, and sends the rest. */
  readonly isPartial: boolean
  readonly signal: AbortSignal
  onProgress(done: number, total: number): void
}

/**
 * Creates everything that a file names: it is checked whole first. Devices come before modules, because a module needs its device. What
 * the hub has already stays as it is, so the same file may be sent again after an end in the middle. `read` starts from the beginning.
 */
export async function importEntries(
  client: Client,
  read: () => AsyncIterable<EntryOrFault>,
  { isPartial, signal, onProgress }: ImportOptions,
): Promise<ImportReport> {
  const checked = await checkEntries(read())
  const count = createCount()
  const isSent = checked.faultCount === 0 || isPartial
  if (isSent) {
    const total = checked.devices + checked.modules
    onProgress(0, total)
    const onEnding = (entry: Entry, ending: Ending) => onProgress(count.add(entry, ending), total)
    await uploadEntries(
      client,
      entriesOf(read(), (entry) => !isModule(entry)),
      { onEnding, signal },
    )
    if (checked.modules > 0) await uploadEntries(client, entriesOf(read(), isModule), { onEnding, signal })
  }
  return { ...checked, ...count.report(), isSent }
}

async function* entriesOf(
  lines: AsyncIterable<EntryOrFault>,
  isWanted: (entry: Entry) => boolean,
): AsyncGenerator<Entry> {
  for await (const line of withoutRepeats(lines)) {
    if (!isFault(line) && isWanted(line)) yield line
  }
}

function createCount() {
  const counts = { created: 0, same: 0, different: 0, refused: 0 }
  const different: ImportReport['different'][number][] = []
  const refused: Fault[] = []
  return {
    add({ identity, place }: Entry, ending: Ending): number {
      counts[ending.kind] += 1
      if (ending.kind === 'different' && different.length < namedMax)
        different.push({ identity, place, members: ending.members })
      if (ending.kind === 'refused' && refused.length < namedMax) refused.push({ place, complaint: ending.complaint })
      return counts.created + counts.same + counts.different + counts.refused
    },
    report: () => ({
      created: counts.created,
      same: counts.same,
      differentCount: counts.different,
      different,
      refusedCount: counts.refused,
      refused,
    }),
  }
}
