import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { functions } from './functions.ts'

it('Q11 every function stands in the specification with its operands and its meaning', () => {
  const specification = readFileSync(new URL('../../../../docs/spec/query.md', import.meta.url), 'utf8')
  const rows = [...specification.matchAll(/^\| `(\w+)\(([^)]*)\)` +\| (.*?) +\|$/gm)].map(([, ...cells]) => cells)
  const table = Object.entries(functions).map(([name, { parameters, doc }]) => [name, parameters.join(', '), doc])
  expect(rows).toEqual(table)
})
