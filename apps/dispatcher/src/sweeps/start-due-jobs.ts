import { findDueJobs } from '@muster/store'
import { type DispatchHub, dispatchJob } from '../dispatch-job.ts'
import type { Bound } from './bound.ts'
import { reported } from './reported.ts'

/** Starts the jobs that are due, until no place is free. */
export async function startDueJobs(hub: DispatchHub, bound: Bound): Promise<number> {
  let started = 0
  for (const key of await findDueJobs(hub.db, bound, hub.clock.now())) {
    const kind = await reported(hub, key, () => dispatchJob(hub, key))
    if (kind === 'full') break
    if (kind === 'started') started += 1
  }
  return started
}
