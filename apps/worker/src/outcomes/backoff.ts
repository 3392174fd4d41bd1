const firstMs = 1_000
const mostMs = 30_000

/**
 * How long to wait after attempt number `attempt` (1 for the first), in ms. It doubles each time, up to 30 s, and is reduced to half
 * at random, so that devices that were lost together do not come back together. `random` is in [0, 1).
 */
export function backoffMs(attempt: number, random: number): number {
  const full = Math.min(mostMs, firstMs * 2 ** (attempt - 1))
  return Math.round(full * (0.5 + random / 2))
}
