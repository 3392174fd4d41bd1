import { setTimeout as sleep } from 'node:timers/promises'
import { type Client, MusterError } from '@muster/client'
import { limits } from '@muster/contract'
import pLimit from 'p-limit'
import type { Entry } from '../files/entry.ts'
import { compareWithHub } from './compare.ts'

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
  const underWay = new Set<Promise<void>>()
  const failed = new AbortController()
  const ended = AbortSignal.any([signal, failed.signal])
  const send = (batch: readonly Entry[]) => {
    const sent = limit(() => uploadBatch(client, batch, { onEnding, signal: ended }))
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
}

async function uploadBatch(client: Client, batch: readonly Entry[], { onEnding, signal }: Handling): Promise<void> {
  signal.throwIfAborted()
  const result = await patiently(
    () =>
      client.devices.change(
        batch.map(({ body }) => body),
        { signal },
      ),
    signal,
  )
  const errorOf = new Map(result.errors.map((error) => [`${error.deviceId}/${error.moduleId ?? ''}`, error]))
  const existing: Entry[] = []
  for (const entry of batch) {
    const error = errorOf.get(entry.identity.includes('/') ? entry.identity : `${entry.identity}/`)
    if (error === undefined) onEnding(entry, { kind: 'created' })
    else if (alreadyExists.has(error.errorCode)) existing.push(entry)
    else onEnding(entry, { kind: 'refused', complaint: `${error.errorCode}: ${error.errorStatus}` })
  }
  const differences =
    existing.length === 0 ? [] : await patiently(() => compareWithHub(client, existing, signal), signal)
  for (const { entry, members } of differences) {
    onEnding(entry, members.length === 0 ? { kind: 'same' } : { kind: 'different', members })
  }
}

const alreadyExists: ReadonlySet<string> = new Set(['DeviceAlreadyExists', 'ModuleAlreadyExistsOnDevice'])

/** A hub that restarts is back by then. */
const lossesMax = 8

/** Repeats a call that may be repeated: for ever when the rate is used up, and a bounded number of times when the answer was lost. */
async function patiently<Result>(call: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
  for (let losses = 0; ; ) {
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof MusterError) || signal.aborted) throw error
      const isLoss = error.status === null || error.status >= 500
      if (isLoss) losses += 1
      if (losses > lossesMax || (!isLoss && error.status !== 429)) throw error
      await sleep(error.retryAfterMs ?? 250 * 2 ** losses, undefined, { signal })
    }
  }
}
