import type { JobType } from '@muster/contract'
import { orAborted } from '@muster/runtime'
import { type ContinuousJob, findContinuousJobs, joinDevices, takeUncheckedJob } from '@muster/store'
import { chunkSizeOf, type DispatchHub } from '../dispatch-job.ts'

/** Devices that were told and not looked at yet. Those beyond it are found by the look at the whole fleet. */
const devicesMax = 10_000

/** Lets devices join continuous jobs when they come to match. */
export interface Joins {
  /** A pass of the sweep: watches changes while there are such jobs, and looks at the whole fleet for one of them whose time has come. */
  pass(): Promise<number>
  stop(deadline: AbortSignal): Promise<void>
}

export function createJoins(hub: DispatchHub): Joins {
  const { db, bus, clock } = hub
  let jobs: readonly ContinuousJob[] = []
  let watching: Promise<(() => Promise<void>) | null> | null = null
  let told = new Set<string>()
  let joining: Promise<void> | null = null
  let isStopping = false

  const joinTold = async (): Promise<void> => {
    while (told.size > 0 && !isStopping) {
      const deviceIds = [...told]
      told = new Set()
      for (const job of jobs) await joinOne(hub, job, deviceIds)
    }
    joining = null
  }
  const receive = (deviceIds: readonly string[]): void => {
    for (const deviceId of deviceIds) if (told.size < devicesMax) told.add(deviceId)
    joining ??= joinTold()
  }
  /** A failure is tried again by the next pass. */
  const watch = () =>
    bus.watchChanges(receive).catch(() => {
      watching = null
      return null
    })
  const unwatch = async (): Promise<void> => {
    const watched = watching
    watching = null
    const stop = await watched
    await stop?.().catch(() => {})
  }

  return {
    async pass() {
      jobs = await findContinuousJobs(db, clock.now())
      // Not waited for: without Redis the looks at the whole fleet go on.
      if (jobs.length > 0) watching ??= watch()
      else void unwatch()
      const unchecked = await takeUncheckedJob(db, clock.now())
      return unchecked === null ? 0 : joinOne(hub, unchecked, null)
    },
    async stop(deadline) {
      isStopping = true
      await orAborted(
        Promise.all([unwatch(), joining]).then(() => {}),
        deadline,
      )
    },
  }
}

/** Whatever fails, nothing joins: a condition that cannot be evaluated never widens. Returns how many have joined. */
async function joinOne(hub: DispatchHub, job: ContinuousJob, among: readonly string[] | null): Promise<number> {
  const { db, bus, clock, events } = hub
  const { key, jobId, type, priority } = job
  try {
    const chunkSize = (type: JobType) => chunkSizeOf(hub, type)
    const count = await joinDevices(db, job, { among, chunkSize }, clock.now())
    if (count === 0) return 0
    events.devicesJoined({ jobId, type, count })
    if (!(await bus.wakeChunks(key, { type, priority }))) events.wakeUpLost({ kind: 'chunks' })
    return count
  } catch (error) {
    events.joinFailed({ jobId, type, error })
    return 0
  }
}
