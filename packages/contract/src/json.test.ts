import { expect, it } from 'vitest'
import { findTooLarge, isTooDeep } from './json.ts'
import { limits } from './limits.ts'

it('nesting is counted without recursion, however deep it is', () => {
  expect(isTooDeep(nested(limits.jsonDepth))).toBe(false)
  expect(isTooDeep(nested(limits.jsonDepth + 1))).toBe(true)
  expect(isTooDeep(nested(50_000))).toBe(true)
  expect(isTooDeep({ a: [1, { b: null }], c: 'text' })).toBe(false)
})

it('a number that no double holds is found, with its path', () => {
  expect(findTooLarge(JSON.parse('{"a":[1,{"b":1e400}]}'), 'payload')).toBe('payload.a[1].b')
  expect(findTooLarge(JSON.parse('-1e400'), 'payload')).toBe('payload')
  expect(findTooLarge({ a: [1e308, null, true, 'text'] }, 'payload')).toBeNull()
})

function nested(levels: number) {
  return JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`)
}
