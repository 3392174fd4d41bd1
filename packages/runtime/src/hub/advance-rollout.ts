import { callIdOf } from '@muster/bus'
import type { JobKey } from '@muster/contract'
import { type Advance, advanceStages } from '@muster/store'
import { reportEnd } from './finish-job.ts'
import type { Hub } from './role.ts'

/**
 * Stops a running job that has to stop, or opens its next stage if its gate lets it, and sees to what follows. A sweep calls it for every
 * such job, and workers when a chunk of one has ended. The statements are guarded: of many callers one does it. Null: there was nothing.
 */
export async function advanceRollout(
  { db, bus, clock, events }: Pick<Hub, 'db' | 'bus' | 'clock' | 'events'>,
  key: JobKey,
): Promise<Advance['kind'] | null> {
  const advance = await advanceStages(db, key, clock.now())
  if (advance?.kind === 'opened' && !(await bus.wakeChunks(key, advance))) events.wakeUpLost({ kind: 'chunks' })
  if (advance?.kind === 'cancelled') {
    // Not waited for, as with a cancel that somebody asks for.
    void bus.dropCall(callIdOf(key))
    reportEnd(events, advance.job)
  }
  return advance?.kind ?? null
}
