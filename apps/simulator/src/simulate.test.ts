import { expect, it } from 'vitest'
import { deviceIds } from './simulate.ts'

it('a larger fleet takes in the devices of a smaller one', () => {
  const small = deviceIds({ prefix: 'sim-', deviceCount: 9 })

  expect(small.at(-1)).toBe('sim-00009')
  expect(deviceIds({ prefix: 'sim-', deviceCount: 100_000 }).slice(0, 9)).toEqual(small)
  expect(deviceIds({ prefix: 'sim-', deviceCount: 100_000 }).at(-1)).toBe('sim-100000')
})
