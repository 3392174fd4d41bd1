import type { JobKey } from '@muster/contract'
import { finishJob } from '@muster/runtime'
import { findDrainedJobs } from '@muster/store'
import type { DispatchHub } from '../dispatch-job.ts'
import { reported } from '../reported.ts'
import type { Round } from '../round.ts'

/** How many jobs a pass looks at. That a worker dies between its last outcome and the end of the job is rare. */
const limit = 500

/** Completes those of the next running jobs that have no open device. */
export async function finishDrainedJobs(hub: DispatchHub & { readonly running: Round<JobKey> }): Promise<number> {
  const { drained } = await hub.running.pass((after) => findDrainedJobs(hub.db, { limit, after }, hub.clock.now()))
  for (const key of drained) await reported(hub, key, () => finishJob(hub, key))
  return drained.length
}
