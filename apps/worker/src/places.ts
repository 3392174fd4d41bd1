import type { JobKey } from '@muster/contract'

/** Places for device calls that are in flight at the same time. Dispose gives back those that are still held. */
export interface Places extends Disposable {
  /** Gives back all but so many. */
  keep(count: number): void
  /** Gives back so many. */
  release(count: number): void
  /** Moves so many to a new holder, and gives back the others. */
  handOver(count: number): Places
}

interface Room {
  /** Never waits. A wake-up that finds no place comes back later, and holds nothing meanwhile. */
  tryReserve(key: JobKey, count: number): Places | null
  taken(): number
}

/**
 * A job that holds places gets more only up to so many times what would then be free: 94 % of the room for one job alone, 48 % for each of
 * two. So there is room for a job that comes, however long the devices of the others stay silent. Switches share their buffers so.
 */
const timesFree = 16

export function createRoom(capacity: number): Room {
  let free = capacity
  const heldBy = new Map<JobKey, number>()

  const move = (key: JobKey, count: number) => {
    free -= count
    const held = (heldBy.get(key) ?? 0) + count
    if (held === 0) heldBy.delete(key)
    else heldBy.set(key, held)
  }

  const hold = (key: JobKey, count: number): Places => {
    let held = count
    const release = (released: number) => {
      const given = Math.max(0, Math.min(released, held))
      held -= given
      move(key, -given)
    }
    const keep = (kept: number) => release(held - kept)
    return {
      release,
      keep,
      handOver(moved) {
        keep(moved)
        const holder = hold(key, held)
        held = 0
        return holder
      },
      [Symbol.dispose]: () => keep(0),
    }
  }

  return {
    taken: () => capacity - free,
    tryReserve(key, count) {
      const reserved = Math.min(count, capacity)
      const held = heldBy.get(key) ?? 0
      if (reserved > free || (held > 0 && held + reserved > timesFree * (free - reserved))) return null
      move(key, reserved)
      return hold(key, reserved)
    },
  }
}
