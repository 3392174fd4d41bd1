import { type Next, type Pause, turnsOf } from '@muster/bus'
import type { JobKey } from '@muster/contract'
import { type NotNow, type RunningJob, readRunningJob } from '@muster/store'
import type { Claim } from './claim.ts'
import { earlyPause, pace } from './pace.ts'
import type { WorkerHub } from './worker-hub.ts'

/**
 * How soon to look for places again. Nobody knows when a device will answer. A wake-up that is put off costs 80 µs of a core here and as
 * much in Redis, and nothing in Postgres; BullMQ's pause of a consumer would hold up the jobs that need no place.
 */
const noRoom: Pause = { laterMs: 250 }

/**
 * Claims devices of a job and starts an attempt on each: place, job, rate, claim, call. Answers are recorded as they come, and nothing
 * waits for the slowest device. `done`: there was nothing to claim. A pause: there are no places or no tokens now, or
 * the job has reached a limit of its own.
 */
export async function startAttempts(
  { attempts, clock, db, throttles }: Pick<WorkerHub, 'attempts' | 'clock' | 'db' | 'throttles'>,
  { key, turn, deviceCount }: { readonly key: JobKey; readonly turn: number; readonly deviceCount: number },
  claimBy: (job: RunningJob, workerId: string) => Promise<Claim | NotNow | null>,
): Promise<Next> {
  using places = attempts.reserve(key, deviceCount)
  if (places === null) return noRoom

  const job = await readRunningJob(db, key)
  if (job === null || turn >= turnsOf(job.priority)) return 'done'
  const early = earlyPause(job, clock.now())
  if (early !== null) return early
  const claim = await pace(throttles, deviceCount, () => attempts.start((workerId) => claimBy(job, workerId), places))
  if (claim === null) return 'done'
  return 'laterMs' in claim ? claim : 'more'
}
