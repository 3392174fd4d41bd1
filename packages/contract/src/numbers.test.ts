import fc from 'fast-check'
import { expect, it } from 'vitest'
import { isJsonObject, type Json, type JsonObject } from './json.ts'
import { numbersIn, writeJson } from './numbers.ts'

const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (Object.is(value, -0) ? '0' : String(value))),
  fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }).map(String),
  fc.constantFrom('1e20', '4503599627370496.0', '-1E+300', '9007199254740993'),
)
const text = fc.string({ unit: fc.constantFrom('"', '\\', ',', ':', '{', ']', '1', 'e', '0'.repeat(20)) })

/** JSON texts. */
const { tree } = fc.letrec<{ tree: string }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    number,
    text.map((value) => JSON.stringify(value)),
    fc.array(tie('tree'), { maxLength: 4 }).map((items) => `[${items.join(' ,')}]`),
    fc.uniqueArray(fc.tuple(text, tie('tree')), { maxLength: 4, selector: ([key]) => key }).map((members) => {
      return `{${members.map(([key, value]) => `${JSON.stringify(key)} : ${value}`).join()}}`
    }),
  ),
}))

it('the numbers in a text are found at their places, as they were written', () => {
  fc.assert(
    fc.property(tree, (json) => {
      const value: Json = JSON.parse(json)
      const numberText = numbersIn(json, value)

      for (const [container, key, found] of numbersBelow(value)) {
        const written = numberText(container, key)
        expect(written === undefined ? found : Number(written)).toBe(found)
        if (!Number.isSafeInteger(found) && Number.isInteger(found)) expect(json).toContain(written)
      }
    }),
  )
})

it('of members of one name the last one counts', () => {
  const json =
    '{"a":{"n":9007199254740993},"a":{"n":1e20,"m":9007199254740995},"b":9007199254740993,"b":9007199254740997}'
  const value = JSON.parse(json)
  const numberText = numbersIn(json, value)

  expect([numberText(value.a, 'n'), numberText(value.a, 'm'), numberText(value, 'b')]).toEqual([
    '1e20',
    '9007199254740995',
    '9007199254740997',
  ])
})

it('what is written has the same value, and shows a double beyond the integers as a double', () => {
  fc.assert(
    fc.property(tree, (json) => {
      const value: Json = JSON.parse(json)
      const written = writeJson(value)
      const again: Json = JSON.parse(written)

      expect(again).toEqual(value)
      const numberText = numbersIn(written, again)
      for (const [container, key, found] of numbersBelow(again)) {
        if (Math.abs(found) > 2 ** 52) expect(numberText(container, key)).toMatch(/[e.]/)
      }
    }),
  )
  expect(writeJson({ a: [1e20, 4503599627370495, '100000000000000000000'] })).toBe(
    '{"a":[1e+20,4503599627370495,"100000000000000000000"]}',
  )
})

type Found = readonly [container: JsonObject | readonly Json[], key: string, value: number]

function numbersBelow(value: Json): Found[] {
  if (!Array.isArray(value) && !isJsonObject(value)) return []
  const found: Found[] = []
  for (const [key, member] of Object.entries(value)) {
    if (typeof member === 'number') found.push([value, key, member])
    else found.push(...numbersBelow(member))
  }
  return found
}
