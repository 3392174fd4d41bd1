import type { Pause } from '@muster/bus'
import type { Throttles } from '@muster/runtime'
import { isNotNow, isTooEarly, type NotNow, type RunningJob } from '@muster/store'

/**
 * Claims at the rate of `jobDeviceOperations`. Takes the tokens for `deviceCount` devices before the claim, and gives back those that
 * it did not use. Without tokens, or when the job's own limits forbid the claim, it claims nothing and pauses. Meanwhile the devices are
 * pending, no lease runs, and the job can be cancelled. Every claimed device counts, whatever its outcome.
 */
export async function pace<Claimed extends { readonly deviceCount: number }>(
  throttles: Throttles,
  deviceCount: number,
  claim: () => Promise<Claimed | NotNow | null>,
): Promise<Claimed | Pause | null> {
  const taken = Math.min(deviceCount, throttles.portionOf('jobDeviceOperations'))
  const waitMs = await throttles.take('jobDeviceOperations', 'jobs', taken)
  if (waitMs !== null) return pauseOf(waitMs, Math.random())
  let used = 0
  try {
    const claimed = await claim()
    if (claimed === null) return null
    if (isNotNow(claimed)) return pauseOf(claimed.waitMs, Math.random())
    used = claimed.deviceCount
    return claimed
  } finally {
    await throttles.charge('jobDeviceOperations', 'jobs', used - taken)
  }
}

/** The pause of a job whose own rate is not free yet, known without a look at the tokens of the hub. Null: it may ask for them. */
export function earlyPause(job: RunningJob, now: Date): Pause | null {
  const early = isTooEarly(job, now)
  return early === null ? null : pauseOf(early.waitMs, Math.random())
}

/**
 * A wake-up that sleeps does not notice tokens that are given back, a cancelled job, or a bucket that Redis has lost. After a change of the
 * job, such as a new rate, it is called (`hurryWork`); if Redis loses that, it comes at its time.
 */
const longestMs = 5_000
/** All wake-ups that wait get the same moment. They come within so many ms after it, or more if the wait is long. */
const spreadMs = 250

/** How long to wait for what will be there in `waitMs`, if nobody else takes it. `random` is in [0, 1). */
export function pauseOf(waitMs: number, random: number): Pause {
  const soonestMs = Math.min(waitMs, longestMs)
  return { laterMs: Math.round(soonestMs + random * Math.max(spreadMs, soonestMs / 4)) }
}
