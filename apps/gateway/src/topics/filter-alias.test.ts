import fc from 'fast-check'
import { expect, it } from 'vitest'
import { aliasOf, filterOf } from './filter-alias.ts'

it('G10 an alias stands for any filter, has no wildcard in it, and no other one is like it', () => {
  const filter = fc.string({ unit: 'grapheme' }).map((text) => text.toWellFormed())

  fc.assert(
    fc.property(fc.array(filter), (filters) => {
      const aliases = filters.map(aliasOf)

      expect(aliases.map(filterOf)).toEqual(filters)
      expect(new Set(aliases).size).toBe(filters.length)
      expect(aliases.filter((alias) => /[#+]|\/.*\//.test(alias))).toEqual([])
    }),
  )
})
