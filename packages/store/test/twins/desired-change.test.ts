import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { replacementOf } from '../../src/twins/desired-change.ts'
import { section } from './arbitrary-section.ts'
import { mergePatch } from './reference-merge.ts'

describe('the patch for a replacement', () => {
  it('T16 leads from any state to any other', () => {
    fc.assert(
      fc.property(section, section, (before, after) => {
        expect(mergePatch(before, replacementOf(before, after))).toEqual(after)
      }),
    )
  })

  it('T16 names all that is there, and null for what is not any more, at every level', () => {
    const before = { kept: 1, gone: 2, nested: { kept: 1, gone: { deep: 1 } }, list: [1, 2], flat: { a: 1 } }
    const after = { kept: 1, nested: { kept: 1, added: true }, list: [1], flat: 7, fresh: { b: 1 } }

    expect(replacementOf(before, after)).toEqual({
      kept: 1,
      gone: null,
      nested: { kept: 1, gone: null, added: true },
      list: [1],
      flat: 7,
      fresh: { b: 1 },
    })
  })
})
