import { generateKey } from '@muster/auth'
import type { JsonObject } from '@muster/contract'
import { type Behaviour, createFleet, type Fleet, type FleetOptions } from '@muster/simulator'
import type { TestHub } from './hub.ts'

const prompt: Behaviour = { latencyMs: [0, 0], status: 200, silent: false, offline: false, reports: false }

interface FleetToRegister {
  readonly count: number
  readonly prefix: string
  readonly tags: JsonObject
  readonly behaviour?: Partial<Behaviour>
}

type Place = Pick<TestHub, 'request' | 'mqttsPort' | 'ca'>

/** Registers so many devices with these tags, in bulk, and makes a fleet of them that is not connected yet. */
export async function givenFleet(hub: Place, fleet: FleetToRegister): Promise<Fleet> {
  return createFleet(await registered(hub, fleet))
}

/** The same without making the fleet. */
export async function registered(
  hub: Place,
  { count, prefix, tags, behaviour = {} }: FleetToRegister,
): Promise<FleetOptions> {
  const devices = Array.from({ length: count }, (_, index) => ({
    deviceId: `${prefix}-${String(index).padStart(4, '0')}`,
    key: generateKey(),
  }))
  for (let from = 0; from < count; from += 100) {
    const response = await hub.request(
      'POST',
      '/devices',
      devices.slice(from, from + 100).map(({ deviceId, key }) => ({
        id: deviceId,
        importMode: 'create',
        status: 'enabled',
        authentication: { type: 'sas', symmetricKey: { primaryKey: key, secondaryKey: key } },
        tags,
      })),
    )
    if (!response.ok) throw new Error(`registering answered ${response.status}: ${await response.text()}`)
  }
  return {
    hostName: 'localhost',
    mqttsPort: hub.mqttsPort,
    ca: hub.ca,
    devices: devices.map((device) => ({ ...device, behaviour: { ...prompt, ...behaviour } })),
  }
}
