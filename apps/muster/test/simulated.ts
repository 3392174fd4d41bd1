import { generateKey } from '@muster/auth'
import type { JsonObject } from '@muster/contract'
import { type Behaviour, createFleet, type Fleet, type SimulatedDeviceKey } from '@muster/simulator'
import type { TestHub } from './hub.ts'

const prompt: Behaviour = { latencyMs: [0, 0], status: 200, silent: false, offline: false, reports: false }

interface Registration {
  readonly count: number
  readonly prefix: string
  readonly tags: JsonObject
}

/** Registers so many devices with these tags, in bulk. */
export async function givenDevices(
  hub: Pick<TestHub, 'request'>,
  { count, prefix, tags }: Registration,
): Promise<readonly SimulatedDeviceKey[]> {
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
  return devices
}

/** A fleet of registered devices that is not connected yet. */
export function fleetOf(
  { mqttsPort, ca }: Pick<TestHub, 'mqttsPort' | 'ca'>,
  devices: readonly SimulatedDeviceKey[],
  { behaviour = {}, onMethod }: { behaviour?: Partial<Behaviour>; onMethod?: (deviceId: string) => void } = {},
): Fleet {
  return createFleet({
    hostName: 'localhost',
    mqttsPort,
    ca,
    devices: devices.map((device) => ({ ...device, behaviour: { ...prompt, ...behaviour } })),
    ...(onMethod === undefined ? {} : { onMethod }),
  })
}

/** Both. */
export async function givenFleet(
  hub: Pick<TestHub, 'request' | 'mqttsPort' | 'ca'>,
  { behaviour = {}, ...registration }: Registration & { behaviour?: Partial<Behaviour> },
): Promise<Fleet> {
  return fleetOf(hub, await givenDevices(hub, registration), { behaviour })
}
