/** Room for device calls that are in flight at the same time. */
export interface Places {
  /** Gives back all but so many. */
  keep(count: number): void
  /** Gives back so many. */
  release(count: number): void
}

/** Never waits: a wake-up that finds no room comes back later, and holds nothing meanwhile. */
export function createRoom(capacity: number): { tryReserve(count: number): Places | null } {
  let free = capacity
  return {
    tryReserve(count) {
      let held = Math.min(count, capacity)
      if (held > free) return null
      free -= held
      const release = (count: number) => {
        const given = Math.max(0, Math.min(count, held))
        held -= given
        free += given
      }
      return { release, keep: (count) => release(held - count) }
    },
  }
}
