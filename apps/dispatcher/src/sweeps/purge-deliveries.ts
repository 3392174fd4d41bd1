import { purgeDelivered, purgeUnowned } from '@muster/store'
import type { DispatchHub } from '../dispatch-job.ts'
import type { Bound } from './bound.ts'

/** For so long a caller can read that an event was delivered. */
const deliveredKeptMs = 7 * 24 * 3_600_000

export async function purgeDeliveries({ db, clock }: DispatchHub, bound: Bound): Promise<number> {
  const endedBefore = new Date(clock.now().getTime() - deliveredKeptMs)
  return (await purgeDelivered(db, { ...bound, endedBefore })) + (await purgeUnowned(db, bound))
}
