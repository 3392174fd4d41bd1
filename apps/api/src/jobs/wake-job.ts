import type { Job } from '@muster/contract'
import type { Deps } from '../http/endpoint.ts'

/**
 * Has a job looked at now, after something that held it back has changed. If the bus cannot be reached, or this process dies before, the
 * sweeps find its work, and wake-ups that sleep come at their time.
 */
export async function wakeJob(
  { bus, events }: Pick<Deps, 'bus' | 'events'>,
  { key, type, priority, status, startTime }: Pick<Job, 'key' | 'type' | 'priority' | 'status' | 'startTime'>,
): Promise<void> {
  if (status !== 'running') {
    if (!(await bus.wakeAt(key, startTime))) events.wakeUpLost({ kind: 'job' })
    return
  }
  const areWoken = [await bus.hurryWork(key), await bus.wakeChunks(key, { type, priority }), await bus.wakeDue(key)]
  if (areWoken.includes(false)) events.wakeUpLost({ kind: 'chunks' })
}
