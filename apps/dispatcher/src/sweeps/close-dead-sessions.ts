import { closeSessionsOfDeadGateways } from '@muster/store'
import type { DispatchHub } from '../dispatch-job.ts'
import type { Bound } from './bound.ts'

/** A gateway writes a sign of life every 5 s. After four missing ones in a row its sessions are closed. */
export const gatewayDeadAfterMs = 20_000

export async function closeDeadSessions({ db, clock }: DispatchHub, bound: Bound): Promise<number> {
  const now = clock.now()
  const deadBefore = new Date(now.getTime() - gatewayDeadAfterMs)
  return closeSessionsOfDeadGateways(db, { ...bound, deadBefore }, now)
}
