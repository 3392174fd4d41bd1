import { expect, it } from 'vitest'
import { isTooDeep } from './json.ts'
import { limits } from './limits.ts'

it('nesting is counted without recursion, however deep it is', () => {
  expect(isTooDeep(nested(limits.jsonDepth))).toBe(false)
  expect(isTooDeep(nested(limits.jsonDepth + 1))).toBe(true)
  expect(isTooDeep(nested(50_000))).toBe(true)
  expect(isTooDeep({ a: [1, { b: null }], c: 'text' })).toBe(false)
})

function nested(levels: number) {
  return JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`)
}
