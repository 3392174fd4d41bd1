import { reportEnd } from '@muster/runtime'
import { cancelLongPaused as cancelPaused } from '@muster/store'
import type { DispatchHub } from '../dispatch-job.ts'
import type { Bound } from './bound.ts'

/** Cancels jobs whose pause has lasted for as long as it may. */
export async function cancelLongPaused({ db, clock, events }: DispatchHub, bound: Bound): Promise<number> {
  const cancelled = await cancelPaused(db, bound, clock.now())
  for (const job of cancelled) reportEnd(events, job)
  return cancelled.length
}
