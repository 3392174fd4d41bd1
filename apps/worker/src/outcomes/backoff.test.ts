import fc from 'fast-check'
import { expect, it } from 'vitest'
import { backoffMs } from './backoff.ts'

it('J9 backoff lies between half of the doubled delay and all of it, and never over 30 s', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (attempt, random) => {
        const full = Math.min(30_000, 1_000 * 2 ** (attempt - 1))

        const delay = backoffMs(attempt, random)

        expect(delay).toBeGreaterThanOrEqual(full / 2)
        expect(delay).toBeLessThanOrEqual(full)
      },
    ),
  )
})
