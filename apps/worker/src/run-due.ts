import type { JobKey } from '@muster/contract'
import { operationOf } from '@muster/operations'
import { claimDueDeviceJobs, readRunningType, recordLaterAttempts } from '@muster/store'
import { pace } from './pace.ts'
import type { WorkerHub } from './worker-hub.ts'

/** Takes device jobs that are due again and starts their next attempts. `done`: there was none. `later`: no room for the calls, or no rate. */
export async function runDue(worker: WorkerHub, key: JobKey): Promise<'more' | 'later' | 'done'> {
  const { db, clock, attempts, throttles } = worker
  const type = await readRunningType(db, key)
  if (type === null) return 'done'

  const limit = Math.min(operationOf(type).chunkSize, throttles.portionOf('jobDeviceOperations'))
  return pace(throttles, limit, (countUsed) =>
    attempts.start(limit, async (lease) => {
      const claim = await claimDueDeviceJobs(db, key, { ...lease, limit }, clock.now())
      if (claim === null) return null
      countUsed(claim.attempts.length)
      const numbers = new Map<string, number>(claim.attempts.map(({ deviceId, attempt }) => [deviceId, attempt]))
      return {
        job: claim.job,
        deviceIds: claim.attempts.map(({ deviceId }) => deviceId),
        attemptOf: (deviceId) => numbers.get(deviceId) ?? 1,
        record: (outcomes) => recordLaterAttempts(db, claim, outcomes, clock.now()),
      }
    }),
  )
}
