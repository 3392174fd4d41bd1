import type { GatewayId } from '@muster/contract'
import type { Hub } from '@muster/runtime'
import type { LimitFunction } from 'p-limit'

/** The things that the parts of one gateway share. */
export interface Gateway extends Pick<Hub, 'config' | 'db' | 'bus' | 'events' | 'clock' | 'throttles'> {
  readonly gatewayId: GatewayId
  /** All work of devices in Postgres goes through this limiter, so that a storm of devices cannot take the whole pool. */
  readonly statements: LimitFunction
}

/** If more work waits for Postgres, a device is told "not now" at once. The right answer would come too late. */
const waitingStatementsMax = 10_000

export function isOverloaded({ statements }: Gateway): boolean {
  return statements.pendingCount >= waitingStatementsMax
}
