import type { JsonObject } from '@muster/contract'
import { aggregates } from '@muster/query'
import fc from 'fast-check'
import { languageOver } from './arbitrary-condition.ts'

/** Queries with aggregates, with and without GROUP BY and WHERE, over some twins. */
export function groupingsOver(twins: readonly JsonObject[]): fc.Arbitrary<string> {
  const { path, condition } = languageOver(twins)
  const item = fc.oneof(
    { weight: 1, arbitrary: fc.constantFrom('COUNT()', 'count(*)') },
    {
      weight: 6,
      arbitrary: fc.tuple(fc.constantFrom(...Object.keys(aggregates)), path).map(([name, of]) => `${name}(${of})`),
    },
  )
  return fc
    .record({
      keys: fc.array(path, { maxLength: 3 }),
      shown: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
      items: fc.array(item, { minLength: 1, maxLength: 4 }),
      where: fc.option(condition),
    })
    .map(({ keys, shown, items, where }) => {
      const shownKeys = keys.filter((_, index) => shown[index])
      const list = [...shownKeys, ...items].map((text, index) => `${text} AS m${index}`).join(', ')
      const grouping = keys.length === 0 ? '' : ` GROUP BY ${keys.join(', ')}`
      return `SELECT ${list} FROM devices${where === null ? '' : ` WHERE ${where}`}${grouping}`
    })
}
