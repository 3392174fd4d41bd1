import type { Bus, DesiredPush } from '@muster/bus'
import type { GatewayId } from '@muster/contract'
import { type Db, type DesiredChange, findOwners, isDatabaseLost } from '@muster/store'

/**
 * Tells connected devices and modules about changes of their desired properties. Call it after the commit of the changes: a device
 * that connects later reads its twin, and must not read an older one. Returns false when some could not be told. Their gateways
 * notice that when they next compare their connections with the store.
 */
export async function notifyDesired(
  { db, bus }: { db: Db; bus: Pick<Bus, 'pushDesired'> },
  changes: readonly DesiredChange[],
): Promise<boolean> {
  const identities = changes.flatMap(({ versions }) => versions.map(({ identity }) => identity))
  if (identities.length === 0) return true
  const owners = await findOwners(db, identities).catch((error: unknown) => {
    // The change is committed, so it must not look as if it had failed.
    if (isDatabaseLost(error)) return null
    throw error
  })
  if (owners === null) return false
  const gateways = new Map<string, GatewayId>(owners.map(({ identity, gatewayId }) => [identity, gatewayId]))
  const pushes = changes.flatMap((change) => pushesOf(change, gateways))
  const areTold = await Promise.all(pushes.map(({ gatewayId, push }) => bus.pushDesired(gatewayId, push)))
  return !areTold.includes(false)
}

/** One push for each gateway that holds connections of the changed twins. */
function pushesOf({ patch, versions }: DesiredChange, gateways: ReadonlyMap<string, GatewayId>) {
  const byGateway = new Map<GatewayId, DesiredPush['devices'][number][]>()
  for (const version of versions) {
    const gatewayId = gateways.get(version.identity)
    if (gatewayId === undefined) continue
    const devices = byGateway.get(gatewayId) ?? []
    devices.push(version)
    byGateway.set(gatewayId, devices)
  }
  return [...byGateway].map(([gatewayId, devices]) => ({ gatewayId, push: { patch, devices } }))
}
