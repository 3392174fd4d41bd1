import type { Next } from '@muster/bus'
import type { JobKey } from '@muster/contract'
import { operationOf } from '@muster/operations'
import { claimDueDeviceJobs, readRunningType, recordLaterAttempts } from '@muster/store'
import { pace } from './pace.ts'
import type { WorkerHub } from './worker-hub.ts'

/** Takes device jobs that are due again and starts their next attempts. `done`: there was none. A pause: no room for the calls, or no rate. */
export async function runDue({ db, clock, attempts, throttles }: WorkerHub, key: JobKey): Promise<Next> {
  const type = await readRunningType(db, key)
  if (type === null) return 'done'

  const limit = Math.min(operationOf(type).chunkSize, throttles.portionOf('jobDeviceOperations'))
  return attempts.start(limit, (lease) =>
    pace(throttles, limit, async () => {
      const claim = await claimDueDeviceJobs(db, key, { ...lease, limit }, clock.now())
      if (claim === null) return null
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
