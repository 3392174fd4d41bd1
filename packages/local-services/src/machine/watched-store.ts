import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { reasonOf } from './error.ts'
import type { StorePlace } from './store.ts'
import { keepLog, type StoreCommand, type StoreProcess, startStoreProcess } from './store-process.ts'

/**
 * Runs the store until dispose, which takes about 4 s at most, as the end of any process. When the store ends without being asked, it is
 * started again by the same command, so with the same port, data and password, as often as needed. The place is told about each step.
 */
export async function startWatchedStore(place: StorePlace, command: StoreCommand): Promise<AsyncDisposable> {
  const stopping = new AbortController()
  const { signal } = stopping
  await keepLog(place, command)
  let running = await startStoreProcess(place, command, signal)
  const asked = once(signal, 'abort')
  const watching = watch()

  async function watch(): Promise<void> {
    for (let recentEnds = 0; ; recentEnds += 1) {
      const startedAtMs = performance.now()
      // Dispose sees by itself that the store has ended. The event of it does not keep the process alive, which could end before it.
      await Promise.race([running.ended, asked])
      if (signal.aborted) return
      const how = await running.ended
      if (performance.now() - startedAtMs > STEADY_AFTER_MS) recentEnds = 0
      const { name } = command
      place.onIncident({
        store: name,
        kind: 'ended',
        message: `${name} has ended unexpectedly (${how}): it is started again`,
      })
      await keepLog(place, command)
      const restarted = await startAgain(place, command, { signal, recentEnds })
      if (restarted === undefined) return
      running = restarted
      // A dispose that came meanwhile has seen the process before.
      if (signal.aborted) return running[Symbol.asyncDispose]()
    }
  }

  return {
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await running[Symbol.asyncDispose]()
      await watching
    },
  }
}

/** After so long a store was well. Its end is then a new fault, and not the old one again. */
const STEADY_AFTER_MS = 60_000

/** Tries until the store runs. undefined: the signal aborted before. */
async function startAgain(
  place: StorePlace,
  command: StoreCommand,
  { signal, recentEnds }: { signal: AbortSignal; recentEnds: number },
): Promise<StoreProcess | undefined> {
  const { name } = command
  const endedAtMs = performance.now()
  for (let failures = recentEnds; ; failures += 1) {
    await pause(pauseMs(failures), signal)
    if (signal.aborted) return undefined
    try {
      const running = await startStoreProcess(place, command, signal)
      const seconds = ((performance.now() - endedAtMs) / 1000).toFixed(1)
      place.onIncident({ store: name, kind: 'restarted', message: `${name} runs again after ${seconds} s` })
      return running
    } catch (error) {
      if (signal.aborted) return undefined
      const next = `the next attempt is within ${Math.ceil(pauseMsMax(failures + 1) / 1000)} s`
      const message = `${name} could not be started again, ${next}: ${reasonOf(error)}`
      place.onIncident({ store: name, kind: 'restartFailed', message })
    }
  }
}

/** The first time at once, because work stands still without the store. Then later each time, because the cause seems to stay. */
function pauseMsMax(failures: number): number {
  return failures === 0 ? 0 : Math.min(30_000, 250 * 2 ** failures)
}

/** Two stores that fail for one reason, such as a full disk, should not start at the same times. */
function pauseMs(failures: number): number {
  return pauseMsMax(failures) * (0.5 + Math.random() / 2)
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // It must not keep the process alive. Rejects when the signal aborts; the caller checks the signal.
  await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined)
}
