import { workspaceFiles } from '../architecture/sources.ts'

/** The titles of each test file by its path, with `...` for what a table of cases puts in. */
export const titlesOf: ReadonlyMap<string, readonly string[]> = new Map(
  workspaceFiles('.test.ts').map(({ path, text }) => [path, readTitles(text)]),
)

/** A title opens the call of `it`, `test` or `describe`, or of what one of their members, such as `each`, has returned. */
function readTitles(text: string): readonly string[] {
  const calls = /(?:\b(?:it|test|describe)(?:\.\w+)*|\))\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1\s*,/g
  const placeholders = /%(?:\.\d+)?[sdifjoO]|\$\{[^}]*\}|\$\w+/g
  return [...text.matchAll(calls)].map(([, , title = '']) => title.replace(/\\(.)/g, '$1').replace(placeholders, '...'))
}
