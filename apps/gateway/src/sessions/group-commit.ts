import { setTimeout as sleep } from 'node:timers/promises'
import { orAborted } from '@muster/runtime'

/** After a flush that failed: most likely Postgres cannot be reached. */
const retryMs = 1_000

/** Takes items one by one and hands them on in sets: what comes while one set is written makes the next. */
export interface GroupCommit<Item> {
  add(item: Item): void
  /** Waits for what has been added, until the deadline aborts; what is left then is dropped. */
  stop(deadline: AbortSignal): Promise<void>
}

/**
 * A set grows while its predecessor is written, so a flood costs few statements and a single item waits for nothing. The
 * same item counts once, which bounds what waits. A set that fails is written again, with what came meanwhile.
 */
export function groupCommit<Item>(
  write: (items: readonly Item[]) => Promise<void>,
  options: {
    setSize: number
    /** Between two sets: for what may be written a little late, and often is the same. */
    restMs?: number
    onError: (error: unknown) => void
  },
): GroupCommit<Item> {
  const waiting = new Set<Item>()
  let running: Promise<void> | null = null
  let isStopped = false

  const run = async () => {
    while (waiting.size > 0) {
      const items = [...waiting].slice(0, options.setSize)
      for (const item of items) waiting.delete(item)
      try {
        await write(items)
        if (options.restMs !== undefined) await sleep(options.restMs, undefined, { ref: false })
      } catch (error) {
        options.onError(error)
        for (const item of items) waiting.add(item)
        await sleep(retryMs, undefined, { ref: false })
      }
    }
    running = null
  }

  return {
    add(item) {
      if (isStopped) return
      waiting.add(item)
      running ??= run()
    },
    async stop(deadline) {
      if (running !== null) await orAborted(running, deadline)
      isStopped = true
      waiting.clear()
    },
  }
}
