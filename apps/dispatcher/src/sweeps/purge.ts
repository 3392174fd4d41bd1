import { ensurePartitions, purgeHistory } from '@muster/store'
import type { DispatchHub } from '../dispatch-job.ts'
import type { Bound } from './bound.ts'

const dayMs = 24 * 3_600_000

/** Makes the partitions of this week and the next, and deletes history that is too old to be kept. */
export async function purge({ db, clock, config }: DispatchHub, bound: Bound): Promise<number> {
  const now = clock.now()
  await ensurePartitions(db, now)
  await ensurePartitions(db, new Date(now.getTime() + 7 * dayMs))
  return purgeHistory(db, { ...bound, endedBefore: new Date(now.getTime() - config.historyDays * dayMs) })
}
