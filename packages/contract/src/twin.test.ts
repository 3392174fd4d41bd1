import { describe, expect, it } from 'vitest'
import type { Json, JsonObject } from './json.ts'
import { numbersIn } from './numbers.ts'
import { parseSection, parseTwinPatch, requireTwinMembers, sectionSize } from './twin.ts'

describe('a twin patch', () => {
  it('holds the writable sections and nothing else', () => {
    const body = { deviceId: 'x', version: 3, tags: { a: 1 }, properties: { desired: { b: null }, reported: { c: 2 } } }

    expect(parseTwinPatch(body)).toEqual({ tags: { a: 1 }, desired: { b: null } })
  })

  it('has its members in any letter case, and the keys of its sections as they are', () => {
    const body = { Tags: { Floor: 3, floor: 4 }, PROPERTIES: { Desired: { Mode: { ECO: true } } } }

    expect(parseTwinPatch(body)).toEqual({ tags: { Floor: 3, floor: 4 }, desired: { Mode: { ECO: true } } })
  })

  it('clears a section with null, and leaves an absent one', () => {
    expect(parseTwinPatch({ tags: null })).toEqual({ tags: null })
    expect(parseTwinPatch({})).toEqual({})
  })

  it('ignores the version and metadata that a caller sends back', () => {
    expect(parseSection('desired', { interval: 5, $version: 7, $metadata: {} })).toEqual({ interval: 5 })
  })

  it.each([5, 'text', []])('refuses a section that is %j', (tags) => {
    expect(() => parseTwinPatch({ tags })).toThrow('tags must be an object')
  })

  it.each(['a.b', '$own', 'a b', '', 'a\u0007', 'x'.repeat(1025)])('refuses the key %j', (key) => {
    expect(() => parseSection('tags', { deep: { [key]: 1 } })).toThrow('tags.deep')
  })

  it.each([
    ['a text over 4 KB', 'x'.repeat(4097)],
    ['a number that no double holds', JSON.parse('-1e400')],
    ['U+0000', 'a\u0000'],
    ['half of a surrogate pair', '\ud800'],
    ['a bad value inside an array', [1, ['a\u0000']]],
    ['null inside an array', [1, { deep: [null] }]],
  ] as [string, Json][])('refuses %s, with its path', (_, value) => {
    expect(() => parseSection('desired', { mode: value })).toThrow('properties.desired.mode')
  })

  it('may nest ten levels and no more', () => {
    expect(() => parseSection('tags', nested(10))).not.toThrow()
    expect(() => parseSection('tags', nested(11))).toThrow('levels deep')
  })
})

describe('the numbers of a section', () => {
  const parse = (text: string) => {
    const value = JSON.parse(text)
    return parseSection('desired', value, numbersIn(text, value))
  }

  it.each(['4503599627370496', '-4503599627370497', '9007199254740993', '100000000000000000000'])(
    'T21 as an integer %s is refused, and quoted as it was sent',
    (written) => {
      expect(() => parse(`{"a":[0,{"n":${written}}]}`)).toThrow(
        `properties.desired.a[1].n: the integer ${written} must lie between -4503599627370496 and 4503599627370495`,
      )
    },
  )

  it.each(['4503599627370496.0', '1e20', '1.7976931348623157e308', '-9007199254740993E0', '0.1', '4503599627370495'])(
    'T21 as written %s is good',
    (written) => {
      expect(parse(`{"n":${written}}`)).toEqual({ n: Number(written) })
    },
  )

  it('T21 that no double holds is refused as it was sent', () => {
    expect(() => parse('{"n":1e400}')).toThrow('got 1e400')
  })
})

describe('a body that names nothing of a twin', () => {
  const refusal = 'desired properties belong in properties.desired'

  it.each([{ interval: 5 }, { desired: { interval: 5 } }, { a: 1, b: null }])('T22 is refused: %j', (body) => {
    expect(() => requireTwinMembers(body)).toThrow(refusal)
  })

  it.each([{}, { deviceId: 'x' }, { Tags: null, floor: 3 }, { $version: 3 }, { properties: {} }])(
    'T22 is no body that is empty or has a member of a twin: %j',
    (body) => {
      expect(() => requireTwinMembers(body)).not.toThrow()
    },
  )

  it('T22 is one whose properties have members and no section', () => {
    expect(() => parseTwinPatch({ tags: {}, Properties: { interval: 5 } })).toThrow(refusal)
    expect(parseTwinPatch({ properties: {} })).toEqual({})
    expect(parseTwinPatch({ properties: { Reported: { a: 1 } } })).toEqual({})
  })
})

it('the size of a section counts keys, texts and fixed sizes of the rest', () => {
  expect(sectionSize({ ab: 'cde' })).toBe(5)
  expect(sectionSize({ a: 1, b: true, c: null })).toBe(1 + 8 + 1 + 4 + 1)
  expect(sectionSize({ a: { b: [1, 2, 'é'] } })).toBe(1 + 1 + 8 + 8 + 2)
  expect(sectionSize({ a: 'line\nbreak' })).toBe(1 + 9)
})

/** A property under so many objects: tags -> one -> two -> ... -> property. */
function nested(levels: number): JsonObject {
  return levels === 0 ? { property: 1 } : { level: nested(levels - 1) }
}
