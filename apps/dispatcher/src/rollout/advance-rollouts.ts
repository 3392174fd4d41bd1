import type { JobKey } from '@muster/contract'
import { advanceRollout } from '@muster/runtime'
import { findWatchedJobs } from '@muster/store'
import type { DispatchHub } from '../dispatch-job.ts'
import { reported } from '../reported.ts'
import type { Round } from '../round.ts'

/** How many jobs a pass looks at. To look at one takes a few ms, and 16 ms if it has a million devices. */
const limit = 100

/** Opens stages and stops jobs that are due for it, of the next of those that have gates or conditions by which they stop. */
export async function advanceRollouts(hub: DispatchHub & { readonly watched: Round<JobKey> }): Promise<number> {
  const { watched } = await hub.watched.pass((after) => findWatchedJobs(hub.db, { limit, after }, hub.clock.now()))
  let advanced = 0
  for (const key of watched) {
    if ((await reported(hub, key, () => advanceRollout(hub, key))) !== null) advanced += 1
  }
  return advanced
}
