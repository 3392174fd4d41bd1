import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { scaleOf } from './scale.ts'

describe('an axis', () => {
  it.each([
    ['decimal', [3, 97], [0, 20, 40, 60, 80, 100]],
    ['decimal', [0.1, 0.25], [0, 0.05, 0.1, 0.15, 0.2, 0.25]],
    ['decimal', [-20, 60], [-20, 0, 20, 40, 60]],
    ['binary', [150 * 1024 ** 2], [0, 32, 64, 96, 128, 160].map((count) => count * 1024 ** 2)],
    ['time', [37.5], [0, 10, 20, 30, 40]],
    ['time', [170], [0, 60, 120, 180]],
    ['decimal', [0, 0], [0, 0.5, 1]],
    ['decimal', [], [0, 0.5, 1]],
  ] as const)('of %s steps over %j', (steps, values, ticks) => {
    const scale = scaleOf(values, { steps }, 5)

    expect(scale.ticks.map((tick) => Number(tick.toPrecision(12)))).toEqual(ticks)
  })

  it('holds zero and every value, between its first tick and its last', () => {
    const value = fc.double({ min: -1e6, max: 1e9, noNaN: true }).filter((value) => Math.abs(value) > 1e-9)
    const steps = fc.constantFrom('decimal', 'binary', 'time')

    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 5 }), steps, (values, steps) => {
        const { min, max, ticks } = scaleOf(values, { steps }, 5)

        expect(min).toBeLessThanOrEqual(Math.min(0, ...values))
        expect(max).toBeGreaterThanOrEqual(Math.max(0, ...values))
        expect([ticks.at(0), ticks.at(-1)]).toEqual([min, max])
        expect(ticks.length).toBeLessThanOrEqual(7)
      }),
    )
  })
})
