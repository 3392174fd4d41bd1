import type { Bus } from '@muster/bus'
import type { ThrottleName, ThrottleRates } from '../config/throttle-rates.ts'
import type { Events } from '../observability/events.ts'

/** Who uses a rate. The kind is part of the name, because a policy may be called `jobs`, or like a client of the issuer. */
export type Account = 'devices' | 'jobs' | `policy:${string}` | `client:${string}`

/**
 * Limits of rates. Each account has a token bucket for each throttle, and all processes of the hub share it. Work without a limit takes
 * no tokens. A burst up to the size of the bucket is served at once.
 */
export interface Throttles {
  /**
   * Takes tokens before an operation. Null: go on. Otherwise nothing was taken, and the result is the ms until the next try. Never
   * rejects: while Redis is away, everything is allowed.
   */
  take(name: ThrottleName, account: Account, count?: number): Promise<number | null>
  /** Takes tokens for work that is already done. A negative count gives unused tokens back. */
  charge(name: ThrottleName, account: Account, count: number): Promise<void>
  /** How many tokens to take at once, for work in portions. Infinity when there is no limit. */
  portionOf(name: ThrottleName): number
}

/**
 * A smaller request for tokens is served first. All that wait ask for the same portion, so nobody waits for ever. A portion is the
 * tokens of half a second, so that waiting jobs take turns of that length, and a bucket does not overflow while they are on their way.
 */
const portionMs = 500
const largestPortion = 100

export function createThrottles(
  { bus, events }: { bus: Pick<Bus, 'takeTokens' | 'chargeTokens'>; events: Pick<Events, 'throttled'> },
  rates: ThrottleRates,
): Throttles {
  return {
    async take(name, account, count = 1) {
      const rate = rates[name]
      if (rate === undefined) return null
      const waitMs = await bus.takeTokens(`${name}:${account}`, count, rate)
      if (waitMs === 0) return null
      events.throttled({ throttle: name })
      return waitMs
    },
    async charge(name, account, count) {
      const rate = rates[name]
      if (rate !== undefined && count !== 0) await bus.chargeTokens(`${name}:${account}`, count, rate)
    },
    portionOf(name) {
      const rate = rates[name]
      if (rate === undefined) return Number.POSITIVE_INFINITY
      return Math.min(largestPortion, Math.ceil((rate.tokens * portionMs) / rate.perMs))
    },
  }
}
