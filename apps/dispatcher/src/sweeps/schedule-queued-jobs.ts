import { findUnscheduledJobs, markScheduled } from '@muster/store'
import type { DispatchHub } from '../dispatch-job.ts'
import type { Bound } from './bound.ts'

/** Puts the wake-up of jobs that start later on the bus. */
export async function scheduleQueuedJobs({ db, bus, clock }: DispatchHub, bound: Bound): Promise<number> {
  let scheduled = 0
  for (const { key, startAt } of await findUnscheduledJobs(db, bound, clock.now())) {
    if ((await bus.wakeAt(key, startAt)) && (await markScheduled(db, key))) scheduled += 1
  }
  return scheduled
}
