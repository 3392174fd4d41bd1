import type { GatewayId } from '@muster/contract'
import type { Hub } from '@muster/runtime'
import type { LimitFunction } from 'p-limit'

/** What the parts of one gateway share. */
export interface Gateway extends Pick<Hub, 'config' | 'db' | 'bus' | 'events' | 'clock' | 'throttles'> {
  readonly gatewayId: GatewayId
  /** Everything that devices cause in Postgres goes through this limiter, so that a storm of devices cannot take the pool. */
  readonly statements: LimitFunction
}

/** More than this waiting for Postgres: a device hears "not now" at once, instead of the right answer too late. */
const waitingStatementsMax = 10_000

export function isOverloaded({ statements }: Gateway): boolean {
  return statements.pendingCount >= waitingStatementsMax
}
