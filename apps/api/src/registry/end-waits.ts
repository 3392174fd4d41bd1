import { isDatabaseLost, markGone } from '@muster/store'
import type { Deps } from '../http/endpoint.ts'

/**
 * Has the workers end the device jobs that wait for devices which were just deleted. The deletion is committed, so nothing of this may
 * make it look as if it had failed: a sweep finds what is left.
 */
export async function endWaits({ db, bus, clock, events }: Deps, deviceIds: readonly string[]): Promise<void> {
  const keys = await markGone(db, deviceIds, clock.now()).catch((error: unknown) => {
    if (isDatabaseLost(error)) return []
    throw error
  })
  const areWoken = await Promise.all(keys.map((key) => bus.wakeDue(key)))
  if (areWoken.includes(false)) events.wakeUpLost({ kind: 'due' })
}
