import { expect, it } from 'vitest'
import { demoFleet, targetOf } from './demo-fleet.ts'

it('has 200 devices, each of them once', () => {
  expect(new Set(demoFleet().map(({ deviceId }) => deviceId)).size).toBe(200)
})

it('has 40 devices on floor 3 of building 43, and every fault of the fleet among them', () => {
  const target = targetOf(demoFleet()).map(({ behaviour }) => behaviour)

  expect(target).toHaveLength(40)
  expect(target.filter(({ status }) => status === 500)).toHaveLength(4)
  expect(target.filter(({ silent }) => silent)).toHaveLength(1)
  expect(target.filter(({ offline }) => offline)).toHaveLength(1)
})

it('behaves well everywhere else', () => {
  const fleet = demoFleet()
  const target = new Set(targetOf(fleet))

  const others = fleet.filter((device) => !target.has(device)).map(({ behaviour }) => behaviour)

  expect(others.every(({ status, silent, offline }) => status === 200 && !silent && !offline)).toBe(true)
})
