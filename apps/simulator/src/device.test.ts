import fc from 'fast-check'
import { expect, it } from 'vitest'
import { backoffMs } from './device.ts'

it('a device waits between half of the doubled time and all of it before it connects again, half a minute at most', () => {
  fc.assert(
    fc.property(fc.nat({ max: 2000 }), fc.double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
      const longest = Math.min(30_000, 500 * 2 ** failures)

      expect(backoffMs(failures, () => random)).toBeGreaterThanOrEqual(longest / 2)
      expect(backoffMs(failures, () => random)).toBeLessThanOrEqual(longest)
    }),
  )
})
