import { setTimeout as sleep } from 'node:timers/promises'
import { orAborted } from '@muster/runtime'

/** The pause after a failed flush: most likely Postgres cannot be reached. */
const retryMs = 1_000

/** Collects items and writes them in sets. Items that come while one set is written make the next set. */
export interface GroupCommit<Item> {
  add(item: Item): void
  /** Waits until all added items are written, or the deadline aborts. Then the rest is dropped. */
  stop(deadline: AbortSignal): Promise<void>
}

/**
 * A set grows while the one before is written. So a flood costs few statements, and a single item does not wait. The same item counts
 * once, which bounds the set. A failed set is written again, together with the items that came meanwhile.
 */
export function groupCommit<Item>(
  write: (items: readonly Item[]) => Promise<void>,
  options: {
    setSize: number
    onWritten: (count: number) => void
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
        options.onWritten(items.length)
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
