import fc from 'fast-check'
import { expect, it } from 'vitest'
import { pauseOf } from './pace.ts'

it.each([
  [1, 1, 251],
  [400, 400, 650],
  [2_000, 2_000, 2_500],
  [5_000, 5_000, 6_250],
  [60_000, 5_000, 6_250],
])('tokens that are there in %i ms are asked for again after %i to %i ms', (waitMs, soonestMs, latestMs) => {
  expect(pauseOf(waitMs, 0)).toEqual({ laterMs: soonestMs })
  expect(pauseOf(waitMs, 1)).toEqual({ laterMs: latestMs })
})

it('a pause is in whole milliseconds', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1 }), fc.double({ min: 0, max: 1, noNaN: true }), (waitMs, random) => {
      expect(pauseOf(waitMs, random).laterMs).toSatisfy(Number.isInteger)
    }),
  )
})
