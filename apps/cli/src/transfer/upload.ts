import type { Client } from '@muster/client'
import { limits } from '@muster/contract'
import pLimit from 'p-limit'
import type { Entry } from '../files/entry.ts'
import { compareWithHub } from './compare.ts'
import { createPatience, type Patience } from './patience.ts'

/** How an entry ended. `same`: the hub had it already, with what the file says of it. */
export type Ending =
  | { readonly kind: 'created' | 'same' }
  | { readonly kind: 'different'; readonly members: readonly string[] }
  | { readonly kind: 'refused'; readonly complaint: string }

/** Called for each entry, once. */
export type OnEnding = (entry: Entry, ending: Ending) => void

/** Requests at once. Two keep a hub of two cores busy while the next ones are written. */
const requestsAtOnce = 4

/**
 * Creates what the entries say, a hundred in one request, several requests at once. What exists is compared and stays as it is. So an
 * upload that ended early can be done again from the start. Waits for as long as the hub asks to when it refuses for its rate; goes on
 * when a connection is lost; rejects when the hub cannot be reached or refuses a request as a whole.
 */
export async function uploadEntries(
  client: Client,
  entries: AsyncIterable<Entry>,
  { onEnding, signal }: { readonly onEnding: OnEnding; readonly signal: AbortSignal },
): Promise<void> {
  const limit = pLimit(requestsAtOnce)
  const patiently = createPatience(signal)
  const underWay = new Set<Promise<void>>()
  const failed = new AbortController()
  const ended = AbortSignal.any([signal, failed.signal])
  const send = (batch: readonly Entry[]) => {
    const sent = limit(() => uploadBatch(client, batch, { onEnding, signal: ended, patiently }))
      .catch((error: unknown) => failed.abort(error))
      .finally(() => underWay.delete(sent))
    underWay.add(sent)
  }
  try {
    for await (const batch of batchesOf(entries)) {
      ended.throwIfAborted()
      send(batch)
      if (underWay.size > requestsAtOnce) await Promise.race(underWay)
    }
  } finally {
    await Promise.all(underWay)
  }
  ended.throwIfAborted()
}

async function* batchesOf(entries: AsyncIterable<Entry>): AsyncGenerator<readonly Entry[]> {
  let batch: Entry[] = []
  for await (const entry of entries) {
    batch.push(entry)
    if (batch.length === limits.bulkDevices) {
      yield batch
      batch = []
    }
  }
  if (batch.length > 0) yield batch
}

interface Handling {
  readonly onEnding: OnEnding
  readonly signal: AbortSignal
  readonly patiently: Patience
}

async function uploadBatch(client: Client, batch: readonly Entry[], handling: Handling): Promise<void> {
  const { onEnding, signal, patiently } = handling
  signal.throwIfAborted()
  const changes = batch.map(({ body }) => body)
  const result = await patiently(() => client.devices.change(changes, { signal }))
  const errorOf = new Map(result.errors.map((error) => [`${error.deviceId}/${error.moduleId ?? ''}`, error]))
  const existing: Entry[] = []
  for (const entry of batch) {
    const error = errorOf.get(entry.identity.includes('/') ? entry.identity : `${entry.identity}/`)
    if (error === undefined) onEnding(entry, { kind: 'created' })
    else if (alreadyExists.has(error.errorCode)) existing.push(entry)
    else onEnding(entry, { kind: 'refused', complaint: `${error.errorCode}: ${error.errorStatus}` })
  }
  if (existing.length === 0) return
  for (const { entry, members } of await patiently(() => compareWithHub(client, existing, signal))) {
    onEnding(entry, endingOf(members))
  }
}

function endingOf(members: readonly string[] | null): Ending {
  if (members === null)
    return { kind: 'refused', complaint: 'it existed, and was deleted meanwhile; send the file again' }
  return members.length === 0 ? { kind: 'same' } : { kind: 'different', members }
}

const alreadyExists: ReadonlySet<string> = new Set(['DeviceAlreadyExists', 'ModuleAlreadyExistsOnDevice'])
