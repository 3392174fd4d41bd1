import { Semaphore } from 'async-mutex'

/** Room for device calls that are in flight at the same time. */
export interface Places {
  /** Gives back so many, or all that are left. */
  release(count?: number): void
  /** Gives all of them back when the work throws. */
  unlessThrown<Value>(work: () => Promise<Value>): Promise<Value>
}

export function createRoom(capacity: number): { reserve(count: number): Promise<Places> } {
  const semaphore = new Semaphore(capacity)
  return {
    async reserve(count) {
      let held = Math.min(count, capacity)
      await semaphore.acquire(held)
      const release = (returned = held) => {
        const given = Math.min(returned, held)
        held -= given
        if (given > 0) semaphore.release(given)
      }
      return {
        release,
        async unlessThrown(work) {
          try {
            return await work()
          } catch (error) {
            release()
            throw error
          }
        },
      }
    },
  }
}
