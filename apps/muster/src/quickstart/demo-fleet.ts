import type { JsonObject } from '@muster/contract'
import type { Behaviour } from '@muster/simulator'

export interface DemoDevice {
  readonly deviceId: string
  readonly tags: JsonObject & { readonly building: number; readonly floor: number }
  readonly behaviour: Behaviour
}

/** The target of the demo jobs. */
export const queryCondition = 'tags.building = 43 AND tags.floor = 3'

/**
 * 200 devices on four floors of two buildings, 40 of them on floor 3 of building 43. Some of those 40 fail as real devices
 * do: four answer a method with 500, one never answers, one is switched off.
 */
export function demoFleet(): DemoDevice[] {
  return Array.from({ length: deviceCount }, (_, index) => ({
    deviceId: `demo-${String(index + 1).padStart(3, '0')}`,
    tags: { building: index < smallBuildingCount ? 42 : 43, floor: (index % 4) + 1 },
    behaviour: { ...wellBehaved, ...faults.get(index + 1) },
  }))
}

/** The devices that match `queryCondition`. */
export function targetOf(fleet: readonly DemoDevice[]): DemoDevice[] {
  return fleet.filter(({ tags }) => tags.building === 43 && tags.floor === 3)
}

const deviceCount = 200
const smallBuildingCount = 40

const wellBehaved: Behaviour = { latencyMs: [20, 1500], status: 200, silent: false, offline: false }

/** By number of the device, all of them on floor 3 of building 43. */
const faults: ReadonlyMap<number, Partial<Behaviour>> = new Map([
  [59, { status: 500 }],
  [83, { status: 500 }],
  [107, { status: 500 }],
  [131, { status: 500 }],
  [155, { silent: true }],
  [179, { offline: true }],
])
