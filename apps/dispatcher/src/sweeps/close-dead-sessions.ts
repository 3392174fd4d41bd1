import { closeSessionsOfDeadGateways, gatewayDeadBefore } from '@muster/store'
import type { DispatchHub } from '../dispatch-job.ts'
import type { Bound } from './bound.ts'

export async function closeDeadSessions({ db, clock }: DispatchHub, bound: Bound): Promise<number> {
  const now = clock.now()
  return closeSessionsOfDeadGateways(db, { ...bound, deadBefore: gatewayDeadBefore(now) }, now)
}
