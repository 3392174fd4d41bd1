import type { Json, JsonObject } from '@muster/contract'
import fc from 'fast-check'

// Few keys, so that patches meet members; among them whatever Postgres' operators could take for something else.
const key = fc.constantFrom(
  'a',
  'b',
  'ab',
  '0',
  '1',
  '-1',
  '+0',
  '"',
  "'",
  '\\',
  '{}',
  ',',
  'ключ',
  '😀',
  '__proto__',
  'null',
)
const scalar = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 6 }).filter((text) => !text.includes('\u0000')),
  fc.integer({ min: -4_503_599_627_370_496, max: 4_503_599_627_370_495 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
  fc.boolean(),
)

function members(leaf: fc.Arbitrary<Json>): fc.Arbitrary<JsonObject> {
  const { object } = fc.letrec<{ object: JsonObject; value: Json; element: Json }>((tie) => ({
    object: fc.array(fc.tuple(key, tie('value')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaf,
      tie('object'),
      fc.array(tie('element'), { maxLength: 3 }),
    ),
    element: fc.oneof({ depthSize: 'small' }, leaf, tie('object')),
  }))
  return object
}

/** A section of a twin. */
export const section = members(scalar)
const patch = members(fc.oneof(scalar, fc.constant(null)))
/** A patch of a section; null clears it. */
export const wholePatch = fc.oneof({ weight: 9, arbitrary: patch }, { weight: 1, arbitrary: fc.constant(null) })
