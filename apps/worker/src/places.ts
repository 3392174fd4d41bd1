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
  tryReserve(count: number): Places | null
  taken(): number
}

export function createRoom(capacity: number): Room {
  let free = capacity

  const hold = (count: number): Places => {
    let held = count
    const release = (released: number) => {
      const given = Math.max(0, Math.min(released, held))
      held -= given
      free += given
    }
    const keep = (kept: number) => release(held - kept)
    return {
      release,
      keep,
      handOver(moved) {
        keep(moved)
        const holder = hold(held)
        held = 0
        return holder
      },
      [Symbol.dispose]: () => keep(0),
    }
  }

  return {
    taken: () => capacity - free,
    tryReserve(count) {
      const reserved = Math.min(count, capacity)
      if (reserved > free) return null
      free -= reserved
      return hold(reserved)
    },
  }
}
