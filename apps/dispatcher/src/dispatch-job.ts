import type { JobKey, JobType } from '@muster/contract'
import { operationOf } from '@muster/operations'
import { finishJob, type Hub } from '@muster/runtime'
import { ConditionError, expireOverdueJobs, failJob, type JobStart, startJob } from '@muster/store'

export type DispatchHub = Pick<Hub, 'db' | 'bus' | 'clock' | 'events' | 'config' | 'throttles'>

/** Starts the job when it is due: freezes its target set and wakes the workers. Idempotent. Many may try at once. */
export async function dispatchJob(hub: DispatchHub, key: JobKey): Promise<JobStart['kind']> {
  const { db, events, clock, config, throttles } = hub
  const options = {
    maxRunningJobs: config.maxRunningJobs,
    // A chunk is worked on at once, so it must not be larger than one portion of the rate.
    chunkSize: (type: JobType) => Math.min(operationOf(type).chunkSize, throttles.portionOf('jobDeviceOperations')),
  }
  try {
    const start = await startJob(db, key, options, clock.now())
    if (start.kind === 'started') await afterStart(hub, key, start)
    return start.kind
  } catch (error) {
    if (!(error instanceof ConditionError)) throw error
    const job = await failJob(db, key, error.message, clock.now())
    if (job !== null) events.jobEnded({ jobId: job.jobId, type: job.type, status: job.status })
    return 'idle'
  }
}

async function afterStart(
  hub: DispatchHub,
  key: JobKey,
  { jobId, type, deviceCount, deadlineAt }: Extract<JobStart, { kind: 'started' }>,
): Promise<void> {
  const { bus, events, clock } = hub
  events.jobStarted({ jobId, type, deviceCount })
  if (deviceCount === 0 || deadlineAt <= clock.now()) return finishJob(hub, key)
  if (!(await bus.wakeChunks(key))) events.wakeUpLost({ kind: 'chunks' })
  if (!(await bus.wakeAt(key, deadlineAt))) events.wakeUpLost({ kind: 'job' })
}

/** Closes the jobs whose window is over, also this one. A wake-up comes at the end of the window, too. */
export async function closeWindow(hub: DispatchHub, key: JobKey): Promise<void> {
  await expireOverdueJobs(hub.db, { limit: 100 }, hub.clock.now())
  await finishJob(hub, key)
}
