import { type JobKey, type JobType, toError } from '@muster/contract'
import { operationOf } from '@muster/operations'
import { finishJob, type Hub, reportEnd } from '@muster/runtime'
import {
  ConditionError,
  expireOverdueJobs,
  failJob,
  isWorthRepeating,
  type JobStart,
  mostTries,
  putOffStart,
  startJob,
} from '@muster/store'

export type DispatchHub = Pick<Hub, 'db' | 'bus' | 'clock' | 'events' | 'metrics' | 'config' | 'throttles' | 'tracing'>

/** Starts the job when it is due: freezes its target set and wakes the workers. Idempotent. Many may try at once. */
export async function dispatchJob(hub: DispatchHub, key: JobKey): Promise<JobStart['kind']> {
  const { db, clock, config } = hub
  const options = { maxRunningJobs: config.maxRunningJobs, chunkSize: (type: JobType) => chunkSizeOf(hub, type) }
  const startedAt = clock.now()
  try {
    const start = await startJob(db, key, options, startedAt)
    if (start.kind === 'started') await afterStart(hub, key, start, startedAt)
    return start.kind
  } catch (error) {
    if (error instanceof ConditionError) await giveUp(hub, key, error.message)
    else await putOff(hub, key, error)
    return 'idle'
  }
}

/** A chunk is worked on at once, so it must not be larger than one portion of the rate. */
export function chunkSizeOf({ throttles }: Pick<DispatchHub, 'throttles'>, type: JobType): number {
  return Math.min(operationOf(type).chunkSize, throttles.portionOf('jobDeviceOperations'))
}

/** A start that failed is tried again later. After the last try the job is failed. */
async function putOff(hub: DispatchHub, key: JobKey, error: unknown): Promise<void> {
  if (isWorthRepeating(error)) throw error
  const { db, events, clock } = hub
  events.wakeUpFailed({ kind: 'job', jobKey: key, traceId: undefined, error })
  const attempts = await putOffStart(db, key, clock.now())
  if (attempts !== null && attempts >= mostTries) {
    await giveUp(hub, key, `the job could not be started, ${attempts} times: ${reasonOf(error)}`)
  }
}

/** Of the innermost error: those around it repeat the statement. */
function reasonOf(error: unknown): string {
  return error instanceof Error && error.cause !== undefined ? reasonOf(error.cause) : toError(error).message
}

async function giveUp({ db, events, clock }: DispatchHub, key: JobKey, reason: string): Promise<void> {
  const job = await failJob(db, key, reason, clock.now())
  if (job !== null) reportEnd(events, job)
}

async function afterStart(
  hub: DispatchHub,
  key: JobKey,
  { jobId, type, priority, deviceCount, deadlineAt, traceparent }: Extract<JobStart, { kind: 'started' }>,
  startedAt: Date,
): Promise<void> {
  const { bus, events, clock, tracing } = hub
  const span = tracing.begin('start job', {
    kind: 'consumer',
    parent: traceparent,
    startedAt,
    attributes: { 'muster.job.id': jobId, 'muster.job.type': type, 'muster.device.count': deviceCount },
  })
  events.jobStarted({ jobId, type, deviceCount, traceId: span.traceId })
  const hasWork = deviceCount > 0 && deadlineAt > clock.now()
  if (hasWork) {
    const waking = tracing.begin('wake workers', { kind: 'producer', parent: span.traceparent })
    if (!(await bus.wakeChunks(key, { type, priority }))) events.wakeUpLost({ kind: 'chunks' })
    waking.end()
  }
  span.end()
  if (!hasWork) return finishJob(hub, key)
  if (!(await bus.wakeAt(key, deadlineAt))) events.wakeUpLost({ kind: 'job' })
}

/** Closes the jobs whose window is over, also this one. A wake-up comes at the end of the window, too. */
export async function closeWindow(hub: DispatchHub, key: JobKey): Promise<void> {
  await expireOverdueJobs(hub.db, { limit: 100 }, hub.clock.now())
  await finishJob(hub, key)
}
