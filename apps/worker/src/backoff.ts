const firstMs = 1_000
const mostMs = 30_000

/**
 * How long to wait before the attempt after number `attempt` (1 for the first), in ms: doubled each time, at most 30 s, and
 * jittered down to half, so that devices that were lost together do not come back together. `random` is in [0, 1).
 */
export function backoffMs(attempt: number, random: number): number {
  const full = Math.min(mostMs, firstMs * 2 ** (attempt - 1))
  return Math.round(full * (0.5 + random / 2))
}
