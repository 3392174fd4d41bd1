import { describe, expect, it } from 'vitest'
import { filesBelow } from '../architecture/sources.ts'
import { titlesOf } from './titles.ts'

/** A rule opens a line of a specification: `**J4** ...`. A test that shows it has its id in its title. */
const rules = filesBelow('docs/spec', '.md').flatMap(({ path, text }) =>
  [...text.matchAll(/^\s*[-|]?\s*\*\*([A-Z]\d+)\*\*/gm)].map((match) => ({ id: match[1] ?? '', path })),
)

const titles = [...titlesOf.values()].flat()

const namedInTests = new Set(titles.flatMap((title) => title.match(/\b[A-Z]\d+\b/g) ?? []))

describe('the specification', () => {
  it('numbers each rule once', () => {
    const ids = rules.map(({ id }) => id)

    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([])
  })

  it('has a test for every rule', () => {
    expect(rules.filter(({ id }) => !namedInTests.has(id))).toEqual([])
  })

  it('has a rule for every id that a test names', () => {
    const families = new Set(rules.map(({ id }) => id.slice(0, 1)))
    const known = new Set(rules.map(({ id }) => id))

    expect([...namedInTests].filter((id) => families.has(id.slice(0, 1)) && !known.has(id))).toEqual([])
  })
})
