import { sweeps } from '@muster/store'
import { expect, it } from 'vitest'
import { filesBelow } from '../architecture/sources.ts'

const seconds = (count: number) => (count === 3600 ? 'hour' : count === 1 ? '1 s' : `${count} s`)

it('the table of sweeps in the architecture is the one that the reconciler runs', () => {
  const [architecture] = filesBelow('docs', 'architecture.md')
  const section = architecture?.text.split(/^## The sweeps$/m)[1]?.split(/^## /m)[0] ?? ''
  const shown = section.split('\n').filter((line) => line.startsWith('| `'))

  expect(shown).toEqual(
    Object.entries(sweeps).map(
      ([name, { everySeconds, repairs, counts }]) =>
        `| \`${name}\` | ${seconds(everySeconds)} | ${repairs} | ${counts} |`,
    ),
  )
})
