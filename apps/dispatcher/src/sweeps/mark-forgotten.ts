import { markForgottenReachable, type WaitingPlace } from '@muster/store'
import type { DispatchHub } from '../dispatch-job.ts'
import type { Round } from '../round.ts'
import type { Bound } from './bound.ts'

/** How many parts of the list a pass goes over whose jobs have all ended. To read such a part costs a few ms. */
const partsOver = 10

/** Looks at the next waiting device jobs of running jobs. A job of a million devices that was cancelled leaves as many rows behind. */
export async function markForgotten(
  { db, clock, waiting }: DispatchHub & { readonly waiting: Round<WaitingPlace> },
  bound: Bound,
): Promise<number> {
  for (let part = 1; ; part += 1) {
    const { count, areOver, last } = await waiting.pass((after) =>
      markForgottenReachable(db, { ...bound, after }, clock.now()),
    )
    if (!areOver || last === null || part === partsOver) return count
  }
}
