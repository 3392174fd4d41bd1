import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assignBehaviours, type Shares } from './behaviour.ts'

const shares: Shares = { failing: 0.05, failStatus: 503, silent: 0.01, offline: 0.02, latencyMs: [20, 200] }

function fleetOf(count: number): { deviceId: string }[] {
  return Array.from({ length: count }, (_, index) => ({ deviceId: `sim-${index}` }))
}

describe('the shares of a fleet', () => {
  it('are rounded to whole devices, with one fault for a device', () => {
    const behaviours = assignBehaviours(fleetOf(200), shares).map((device) => device.behaviour)

    expect(behaviours.filter((behaviour) => behaviour.status === 503)).toHaveLength(10)
    expect(behaviours.filter((behaviour) => behaviour.silent)).toHaveLength(2)
    expect(behaviours.filter((behaviour) => behaviour.offline)).toHaveLength(4)
    expect(
      behaviours.filter((behaviour) => behaviour.status === 200 && !behaviour.silent && !behaviour.offline),
    ).toHaveLength(184)
  })

  it('hit the same devices whatever the order they are given in', () => {
    const fleet = fleetOf(50)
    const assigned = assignBehaviours(fleet, shares)

    fc.assert(
      fc.property(fc.shuffledSubarray(fleet, { minLength: fleet.length }), (reordered) => {
        expect(new Set(assignBehaviours(reordered, shares))).toEqual(new Set(assigned))
      }),
    )
  })

  it('are spread over the fleet', () => {
    const failing = assignBehaviours(fleetOf(1000), shares).flatMap(({ behaviour }, index) =>
      behaviour.status === 200 ? [] : [index],
    )

    expect(failing.filter((index) => index < 500).length).toBeGreaterThan(10)
    expect(failing.filter((index) => index >= 500).length).toBeGreaterThan(10)
  })

  it('of nothing and of everything leave nobody out', () => {
    const none = { ...shares, failing: 0, silent: 0, offline: 0 }

    expect(assignBehaviours(fleetOf(7), none).every(({ behaviour }) => behaviour.status === 200)).toBe(true)
    expect(assignBehaviours(fleetOf(7), { ...none, silent: 1 }).every(({ behaviour }) => behaviour.silent)).toBe(true)
  })

  it('leave the rest of a device as it was', () => {
    const [device] = assignBehaviours([{ deviceId: 'd1', key: 'a2V5' }], shares)

    expect(device).toMatchObject({ deviceId: 'd1', key: 'a2V5', behaviour: { latencyMs: [20, 200] } })
  })
})
