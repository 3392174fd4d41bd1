/** Work that waits for its turn, and how long new work would have to wait. */
export interface Line {
  through<Result>(work: () => Promise<Result>): Promise<Result>
  /** How long work that comes now is going to take, by the pace of the last seconds. */
  expectedWaitMs(): number
}

/** So few are never too many. If they stand still, that says little about the next one: each may wait for a lock of its own. */
const fewCount = 100
/** The pace is that of about this time. */
const memoryMs = 5_000

/**
 * The bound is a time and not a number, because the same number may be served in a second or in a minute. `nowMs` is a clock that never
 * goes back.
 */
export function createLine({ nowMs = () => performance.now() }: { nowMs?: () => number } = {}): Line {
  let inLine = 0
  // Of the time in which many were in line; both fade.
  let busyMs = 0
  let served = 0
  let seenAtMs = nowMs()
  /** Since then many are in line and none has been served. */
  let stillSinceMs = seenAtMs

  const look = () => {
    const now = nowMs()
    const passedMs = now - seenAtMs
    seenAtMs = now
    const faded = Math.exp(-passedMs / memoryMs)
    busyMs = busyMs * faded + (inLine > fewCount ? passedMs : 0)
    served *= faded
    if (inLine <= fewCount) stillSinceMs = now
  }

  return {
    async through(work) {
      look()
      inLine += 1
      try {
        return await work()
      } finally {
        look()
        if (inLine > fewCount) served += 1
        inLine -= 1
        stillSinceMs = seenAtMs
      }
    },
    expectedWaitMs() {
      look()
      if (inLine <= fewCount) return 0
      const paceMs = served < 1 ? 0 : busyMs / served
      // A standstill is likely to last as long again as it has lasted.
      return seenAtMs - stillSinceMs + inLine * paceMs
    },
  }
}
