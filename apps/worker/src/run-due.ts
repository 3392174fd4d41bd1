import type { JobKey } from '@muster/contract'
import { operationOf } from '@muster/operations'
import { claimDueDeviceJobs, readRunningType, recordLaterAttempts } from '@muster/store'
import { leaseMs, type WorkerHub } from './worker-hub.ts'

/** Takes device jobs that are due again and starts their next attempts. `done`: there was none to take. */
export async function runDue(worker: WorkerHub, key: JobKey): Promise<'more' | 'done'> {
  const { db, clock, attempts, workerId } = worker
  const type = await readRunningType(db, key)
  if (type === null) return 'done'

  const limit = operationOf(type).chunkSize
  const places = await attempts.reserve(limit)
  const claim = await places.unlessThrown(() => claimDueDeviceJobs(db, key, { workerId, leaseMs, limit }, clock.now()))
  if (claim === null) {
    places.release()
    return 'done'
  }
  const attemptNumbers = new Map<string, number>(claim.attempts.map(({ deviceId, attempt }) => [deviceId, attempt]))
  attempts.start({
    job: claim.job,
    deviceIds: claim.attempts.map(({ deviceId }) => deviceId),
    places,
    attemptOf: (deviceId) => attemptNumbers.get(deviceId) ?? 1,
    record: (outcomes) => recordLaterAttempts(db, claim, outcomes, clock.now()),
  })
  return 'more'
}
