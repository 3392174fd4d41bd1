import { expect, it } from 'vitest'
import { unitOf } from './units.ts'

it.each([
  ['none', 0, '0'],
  ['none', 0.05, '0.05'],
  ['none', 1234.5, '1,235'],
  ['short', 999, '999'],
  ['short', 10_000, '10 K'],
  ['short', 2_500_000, '2.5 Mil'],
  ['ops', 0.6, '0.6 ops/s'],
  ['reqps', 1500, '1.5 K req/s'],
  ['percentunit', 0.001, '0.1%'],
  ['percentunit', -18.05, '-1,805%'],
  ['s', 0, '0 s'],
  ['s', 0.25, '250 ms'],
  ['s', 0.000_04, '40 µs'],
  ['s', 0.9999, '1 s'],
  ['s', 90, '1.5 min'],
  ['s', -0.02, '-20 ms'],
  ['d', 396.4, '396 days'],
  ['bytes', 0, '0 B'],
  ['bytes', 128 * 1024 ** 2, '128 MiB'],
  ['Bps', 4000, '4 kB/s'],
])('%s: %d is written %s', (unit, value, text) => {
  expect(unitOf(unit).format(value)).toBe(text)
})

it('a unit that is not known is an error, and no number without one', () => {
  expect(() => unitOf('furlongs')).toThrow('the unit furlongs cannot be drawn yet')
})
