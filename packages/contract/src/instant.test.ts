import fc from 'fast-check'
import { expect, it } from 'vitest'
import { formatInstant, never, parseInstant } from './instant.ts'

it.each([
  ['2026-03-02', '2026-03-02T00:00:00.000Z'],
  ['2026-03-02T10:00:00', '2026-03-02T10:00:00.000Z'],
  ['2026-03-02T10:00Z', '2026-03-02T10:00:00.000Z'],
  ['2026-03-02T10:00:00.1234567Z', '2026-03-02T10:00:00.123Z'],
  ['2026-03-02T10:00:00.123456', '2026-03-02T10:00:00.123Z'],
  ['2026-03-02T10:00:00+02:00', '2026-03-02T08:00:00.000Z'],
  ['2026-03-02T10:00:00-0530', '2026-03-02T15:30:00.000Z'],
])('%s is %s', (text, expected) => {
  expect(parseInstant(text)?.toISOString()).toBe(expected)
})

it.each([
  '',
  'tomorrow',
  '2026',
  '2026-13-01',
  '2026-02-30',
  '2025-02-29T10:00:00Z',
  '2026-03-02T25:00:00Z',
  '02.03.2026',
  '2026-03-02T10',
  '1772445600',
])('"%s" is no time', (text) => {
  expect(parseInstant(text)).toBeNull()
})

it('what is written reads back', () => {
  fc.assert(
    fc.property(fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }), (time) => {
      expect(parseInstant(formatInstant(time))).toEqual(time)
    }),
  )
})

it('no time is never', () => {
  expect(formatInstant(null)).toBe(never)
})
