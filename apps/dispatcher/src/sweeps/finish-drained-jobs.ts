import { finishJob } from '@muster/runtime'
import { findDrainedJobs } from '@muster/store'
import type { DispatchHub } from '../dispatch-job.ts'
import { reported } from '../reported.ts'
import type { Bound } from './bound.ts'

/** Completes running jobs that have no open device. */
export async function finishDrainedJobs(hub: DispatchHub, bound: Bound): Promise<number> {
  const keys = await findDrainedJobs(hub.db, bound)
  for (const key of keys) await reported(hub, key, () => finishJob(hub, key))
  return keys.length
}
