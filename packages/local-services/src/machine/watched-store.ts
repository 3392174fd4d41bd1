import { setTimeout as sleep } from 'node:timers/promises'
import { reasonOf } from './error.ts'
import type { StorePlace } from './store.ts'
import { type StoreCommand, type StoreProcess, startStoreProcess } from './store-process.ts'

/**
 * Runs the store until dispose, which takes at most about the 4 s of ending a process. When it ends unasked it is started again
 * by the same command, and so on the same port, data and password, as often as it takes; the place hears of each step.
 */
export async function startWatchedStore(place: StorePlace, command: StoreCommand): Promise<AsyncDisposable> {
  const stopping = new AbortController()
  const { signal } = stopping
  let running = await startStoreProcess(place, command, signal)
  const watching = watch()

  async function watch(): Promise<void> {
    for (let recentEnds = 0; ; recentEnds += 1) {
      const startedAtMs = performance.now()
      const how = await running.ended
      if (signal.aborted) return
      if (performance.now() - startedAtMs > STEADY_AFTER_MS) recentEnds = 0
      const { name } = command
      place.onIncident({
        store: name,
        kind: 'ended',
        message: `${name} has ended unasked (${how}): it is started again`,
      })
      const restarted = await startAgain(place, command, { signal, recentEnds })
      if (restarted === undefined) return
      running = restarted
      // Whoever disposed meanwhile has seen the one before.
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

/** A store that ran for so long was well: its end is a new fault, and not the last one again. */
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

/** At once the first time: work stands still without the store. Then ever later, for one that cannot run has a cause that stays. */
function pauseMsMax(failures: number): number {
  return failures === 0 ? 0 : Math.min(30_000, 250 * 2 ** failures)
}

/** Two stores that fail for one reason, such as a full disk, should not try in step. */
function pauseMs(failures: number): number {
  return pauseMsMax(failures) * (0.5 + Math.random() / 2)
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  // Not what keeps the process alive. Rejects when the signal aborts, which the caller sees.
  await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined)
}
