import { expect, it } from 'vitest'
import { decodeUtf8, findHalfCharacter, findTooLarge, isTooDeep } from './json.ts'
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

it('bytes that are no UTF-8 are no text', () => {
  expect(decodeUtf8(Buffer.from('"é😀"'))).toBe('"é😀"')
  expect(decodeUtf8(Buffer.from('\ufeff{}'))).toBe('{}')
  for (const bytes of [[0xff], [0x22, 0xc3, 0x22], [0xc0, 0xaf], [0xed, 0xa0, 0x80]]) {
    expect(decodeUtf8(Buffer.from(bytes))).toBeNull()
  }
})

it('half of a character is found where it stands, and a whole one is none', () => {
  expect(findHalfCharacter(String.raw`{"a":"x\ud83d"}`)).toEqual({ escape: String.raw`\ud83d`, index: 7 })
  expect(findHalfCharacter(String.raw`"\uDE00\uD83D"`)).toEqual({ escape: String.raw`\uDE00`, index: 1 })
  expect(findHalfCharacter(String.raw`"\ud83d\ud83d\ude00"`)).toEqual({ escape: String.raw`\ud83d`, index: 1 })
  expect(findHalfCharacter(String.raw`"\uD83d\uDe00 \\ud83d \"\\\\ude00 \u0000 😀"`)).toBeNull()
})

function nested(levels: number) {
  return JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`)
}
