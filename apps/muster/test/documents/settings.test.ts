import { roleNames, settings } from '@muster/runtime'
import { expect, it } from 'vitest'
import { filesBelow } from '../architecture/sources.ts'
import { table } from './table.ts'

type Setting = (typeof settings)[number]

it('the table of settings in the documents is the one of the schema', async () => {
  const [page] = filesBelow('docs/operations', 'settings.md')
  const [before = '', after = ''] = page?.text.split(/<!-- settings -->[\s\S]*<!-- \/settings -->/) ?? []

  const written = `${before}<!-- settings -->\n${table(head, settings.map(rowOf))}\n<!-- /settings -->${after}`

  await expect(written).toMatchFileSnapshot('../../../../docs/operations/settings.md')
})

it('every setting says what it is, and what holds without it', () => {
  const silent = settings.filter(({ what, fallback, otherwise }) => what === '' || (fallback ?? otherwise) === null)

  expect(silent.map(({ name }) => name)).toEqual([])
})

const head = ['variable', 'what it is', 'default', 'values', 'read by']

function rowOf({ name, what, fallback, otherwise, values, unit, readBy, isSecret }: Setting): readonly string[] {
  return [
    isSecret ? `\`${name}\`, \`${name}_FILE\` (secret)` : `\`${name}\``,
    what,
    fallback === null ? (otherwise ?? '') : `\`${fallback}\``,
    unit === null ? values : `${values} ${unit}`,
    readBy.length === roleNames.length ? 'all' : readBy.join(', '),
  ]
}
