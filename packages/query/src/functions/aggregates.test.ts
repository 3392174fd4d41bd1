import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { aggregates } from './aggregates.ts'

it('Q23 every aggregate stands in the specification with its meaning', () => {
  const specification = readFileSync(new URL('../../../../docs/spec/query.md', import.meta.url), 'utf8')
  const rows = [...specification.matchAll(/^\| `([A-Z]+)` +\| (.*?) +\|$/gm)].map(([, ...cells]) => cells)
  expect(rows).toEqual(Object.entries(aggregates).map(([name, { doc }]) => [name, doc]))
})
