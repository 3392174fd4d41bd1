import { expect, it } from 'vitest'
import { parseWaitSeconds } from './option-values.ts'

it('seconds to wait are a whole number, and no more than a timer can wait', () => {
  expect(parseWaitSeconds('0')).toBe(0)
  expect(parseWaitSeconds('2147483')).toBe(2_147_483)
  for (const text of ['2147484', '3000000', '1.5', '-1', '']) {
    expect(() => parseWaitSeconds(text)).toThrow('Expected a whole number of seconds, at most 2147483.')
  }
})
