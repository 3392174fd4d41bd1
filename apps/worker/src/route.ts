import type { CallResult } from '@muster/bus'
import type { GatewayId } from '@muster/contract'
import type { Outcome } from '@muster/operations'
import type { Hub } from '@muster/runtime'
import { findLeavers, findRoutes, type Route } from '@muster/store'
import { type Attempt, askedSince, type Claim, isTakenOver } from './claim.ts'
import { persistently } from './outcomes/persistently.ts'
import type { Decided } from './outcomes/record-outcomes.ts'

/** The devices of a claim that a gateway holds, and those of which the outcome is decided without a call. */
export interface Routed {
  readonly byGateway: ReadonlyMap<GatewayId, readonly Attempt[]>
  readonly unknown: readonly CallResult[]
  readonly outcomes: readonly Decided[]
}

/**
 * Which gateway holds which device, and the outcomes of devices that no gateway holds. `unknown`: an earlier worker may have called the
 * device through a connection that has ended since, so no gateway can tell.
 */
export async function route({ db }: Pick<Hub, 'db'>, claim: Claim, signal: AbortSignal): Promise<Routed> {
  const { attempts, job } = claim
  const deviceIds = attempts.map(({ deviceId }) => deviceId)
  const found = await persistently(() => findRoutes(db, deviceIds), signal)
  const leavers = await persistently(() => findLeavers(db, job, deviceIds), signal)
  const routes = new Map(found.map((one) => [String(one.identity), one]))
  const byGateway = new Map<GatewayId, Attempt[]>()
  const unknown: CallResult[] = []
  const outcomes: Decided[] = []
  for (const attempt of attempts) {
    const { deviceId } = attempt
    const wasTakenOver = isTakenOver(claim, attempt)
    const found = routes.get(deviceId)
    const gatewayId = found?.status === 'enabled' ? found.gatewayId : null
    // One that was made anew under the name is another device.
    const isTarget = found !== undefined && found.generationNo <= job.lastGenerationNo
    if (!isTarget) outcomes.push({ attempt, outcome: unknownDevice(deviceId, wasTakenOver) })
    else if (wasTakenOver && hasMovedSince({ ...found, gatewayId }, askedSince(claim, attempt))) {
      unknown.push({ identity: deviceId, kind: 'forgotten' })
    } else if (!wasTakenOver && wasNeverCalled(attempt) && leavers.has(deviceId))
      outcomes.push({ attempt, outcome: { kind: 'skipped' } })
    else if (gatewayId === null) outcomes.push({ attempt, outcome: { kind: 'waiting' } })
    else byGateway.set(gatewayId, [...(byGateway.get(gatewayId) ?? []), attempt])
  }
  return { byGateway, unknown, outcomes }
}

/** Whether the device was reachable at that time, and is not so now by the same connection. */
function hasMovedSince({ gatewayId, isConnected, stateUpdatedAt }: Route, time: Date): boolean {
  return (stateUpdatedAt !== null && stateUpdatedAt >= time) || (isConnected && gatewayId === null)
}

function wasNeverCalled({ deliveries, unknownDeliveries }: Attempt): boolean {
  return deliveries + unknownDeliveries === 0
}

function unknownDevice(deviceId: string, mayHaveBeenCalled: boolean): Outcome {
  const before = mayHaveBeenCalled ? '; whether it was called before is not known' : ''
  const description = `the device ${deviceId} is not registered${before}`
  return { kind: 'failed', error: { code: 'DeviceNotFound', description } }
}
