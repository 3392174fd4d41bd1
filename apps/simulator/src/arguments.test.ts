import { describe, expect, it } from 'vitest'
import { parseCount, parseLatency, parsePort, parsePrefix, parseShare, parseStatus, parseTags } from './arguments.ts'

describe('an option value', () => {
  it('is read as what it stands for', () => {
    expect(parseCount('1000')).toBe(1000)
    expect(parsePort('8883')).toBe(8883)
    expect(parseStatus('-5')).toBe(-5)
    expect(parseShare('0%')).toBe(0)
    expect(parseShare('2.5%')).toBe(0.025)
    expect(parseLatency('0')).toEqual([0, 0])
    expect(parseLatency('20-200')).toEqual([20, 200])
    expect(parseTags('{"building":43}')).toEqual({ building: 43 })
    expect(parsePrefix('')).toBe('')
    expect(parsePrefix('floor-3.')).toBe('floor-3.')
  })

  it.each([
    [parseCount, '0', /whole number from 1 to 100000/],
    [parseCount, '1e3', /whole number/],
    [parseCount, '', /whole number/],
    [parsePort, '65536', /from 1 to 65535/],
    [parseStatus, '2147483648', /whole number/],
    [parseShare, '5', /percentage from 0% to 100%/],
    [parseShare, '101%', /percentage/],
    [parseShare, '-1%', /percentage/],
    [parseLatency, '200-20', /a range such as 20-200/],
    [parseLatency, '20-', /a range/],
    [parseLatency, '300001', /up to 300000/],
    [parseTags, '{', /JSON object/],
    [parseTags, '[]', /JSON object/],
    [parseTags, '{"a.b":1}', /the key "a\.b"/],
    [parsePrefix, 'a b', /ASCII letters/],
    [parsePrefix, 'all~', /ASCII letters/],
    [parsePrefix, 'x'.repeat(124), /at most 123/],
  ])('%o refuses "%s" and says what it expected', (parse, text, expected) => {
    expect(() => parse(text)).toThrow(expected)
  })
})
