import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { musterCommand, shellWord } from './command-line.ts'

it.each(['/home/ann/muster', '', 'a b', "it's", '$HOME `id` "x" \\ *', 'two\nlines', '~', 'ä'])(
  'a shell reads the word %j as it is',
  (text) => {
    expect(execFileSync('sh', ['-c', `printf %s ${shellWord(text)}`], { encoding: 'utf8' })).toBe(text)
  },
)

it('names the program by its whole path, and leaves common paths unquoted', () => {
  expect(musterCommand({ MUSTER_DATA_DIR: '/data' })).toMatch(
    /^MUSTER_DATA_DIR=\/data node '?\/.*\/bin\/muster\.mjs'?$/,
  )
})
