import type { HubClock } from '@muster/runtime'

/** A time of the hub that begins at any time, runs as the time of the machine does, and can be put forward. */
export interface SteppedClock extends HubClock {
  /** At least this time from now on. */
  stepTo(time: string): void
}

export function steppedClock(from: string): SteppedClock {
  let aheadMs = Date.parse(from) - performance.now()
  return {
    now: () => new Date(performance.now() + aheadMs),
    isTrusted: () => true,
    stepTo(time) {
      aheadMs = Math.max(aheadMs, Date.parse(time) - performance.now())
    },
  }
}
