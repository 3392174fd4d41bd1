import { findDueJobs } from '@muster/store'
import type { DispatchHub } from '../dispatch-job.ts'
import type { Starts } from '../starts.ts'
import type { Bound } from './bound.ts'

/** Starts the jobs that are due, until no place is free. */
export async function startDueJobs(
  { db, clock, starts }: Pick<DispatchHub, 'db' | 'clock'> & { readonly starts: Starts },
  bound: Bound,
): Promise<number> {
  let started = 0
  for (const key of await findDueJobs(db, bound, clock.now())) {
    const kind = await starts.start(key)
    if (kind === 'full') break
    if (kind === 'started') started += 1
  }
  return started
}
