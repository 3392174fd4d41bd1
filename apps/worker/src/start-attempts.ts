import type { Next, Pause } from '@muster/bus'
import type { Lease } from '@muster/store'
import { newLease } from './attempts.ts'
import type { Claim } from './claim.ts'
import { pace } from './pace.ts'
import type { WorkerHub } from './worker-hub.ts'

/** How soon to look for places again. Nobody knows when a device will answer. */
const noRoom: Pause = { laterMs: 250 }

/**
 * Claims devices and starts an attempt on each: place, rate, claim, call. Answers are recorded as they come, and nothing waits for the
 * slowest device. `done`: there was nothing to claim. A pause: there are no places or no tokens now.
 */
export async function startAttempts(
  { attempts, throttles }: Pick<WorkerHub, 'attempts' | 'throttles'>,
  deviceCount: number,
  claimBy: (lease: Lease) => Promise<Claim | null>,
): Promise<Next> {
  using places = attempts.reserve(deviceCount)
  if (places === null) return noRoom

  const lease = newLease()
  const claim = await pace(throttles, deviceCount, () => claimBy(lease))
  if (claim === null) return 'done'
  if ('laterMs' in claim) return claim

  attempts.begin(claim, lease, places.handOver(claim.deviceCount))
  return 'more'
}
