import type { Bus } from '@muster/bus'
import type { ThrottleName, ThrottleRates } from '../config/throttle-rates.ts'
import type { Events } from '../observability/events.ts'

/** On whose behalf a rate is used up. The kind is part of the name: a policy may be called `jobs`, or as a client of the issuer. */
export type Account = 'devices' | 'jobs' | `policy:${string}` | `client:${string}`

/**
 * Limits of rates. Each account has a bucket of tokens for each throttle, which all processes of the hub share; what is not limited
 * takes nothing. A burst up to the size of the bucket is served at once.
 */
export interface Throttles {
  /**
   * Takes tokens before an operation is done. Null: go on. Otherwise nothing was taken, and so many ms from now the operation may be
   * tried again. Never rejects: while Redis is away, everything goes on.
   */
  take(name: ThrottleName, account: Account, count?: number): Promise<number | null>
  /** Takes tokens for what has been done already; a negative count gives back what was not used. */
  charge(name: ThrottleName, account: Account, count: number): Promise<void>
  /** How many to ask for at once, where work is done in portions; Infinity when there is no limit. */
  portionOf(name: ThrottleName): number
}

/**
 * Whoever asks for less is served first: with one portion for all that wait, nobody comes between for ever. A portion is what comes in
 * half a second, so that those who wait take turns of that length, and that a bucket does not run over while they are on their way.
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
