import { expect, it } from 'vitest'
import { instantOf, instantText } from './instants.ts'

const base = BigInt(Date.UTC(2026, 2, 1, 9, 30)) * 1000n

it.each([
  ['2026-03-01', BigInt(Date.UTC(2026, 2, 1)) * 1000n],
  ['2026-03-01T09:30', base],
  ['2026-03-01T09:30:00', base],
  ['2026-03-01T09:30:00Z', base],
  ['2026-03-01T11:30:00+02:00', base],
  ['2026-02-28T23:30:00-10:00', base],
  ['2026-03-01T09:30:00.5Z', base + 500_000n],
  ['2026-03-01T09:30:00.1234567Z', base + 123_456n],
  ['1970-01-01', 0n],
  ['0001-01-01T00:00:00Z', -62_135_596_800_000_000n],
  ['2000-02-29', BigInt(Date.UTC(2000, 1, 29)) * 1000n],
])('%s is an instant', (text, instant) => {
  expect(instantOf(text)).toBe(instant)
  expect(instantOf(instantText(text) ?? '')).toBe(instant)
})

it.each([
  '',
  'now',
  '2026',
  '2026-3-1',
  '2026-13-01',
  '2026-04-31',
  '2026-02-29',
  '1900-02-29',
  '0000-01-01',
  '2026-03-01Z',
  '2026-03-01 09:30:00Z',
  '2026-03-01T24:00:00Z',
  '2026-03-01T09:60:00Z',
  '2026-03-01T09:30:60Z',
  '2026-03-01T09:30:00.Z',
  '2026-03-01T09:30:00+0200',
  '2026-03-01T09:30:00+15:00',
  '2026-03-01T09:30:00Z\n',
  ' 2026-03-01',
])('%j is none', (text) => {
  expect(instantOf(text)).toBeUndefined()
  expect(instantText(text)).toBeUndefined()
})
