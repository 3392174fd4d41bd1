import { fileURLToPath } from 'node:url'

/** The command that starts this program in a shell, in any folder. Not npx, which outside of the checkout fetches another package. */
export function musterCommand(settings: Readonly<Record<string, string>> = {}): string {
  const program = fileURLToPath(new URL('../../bin/muster.mjs', import.meta.url))
  const assignments = Object.entries(settings).map(([name, value]) => `${name}=${shellWord(value)}`)
  return [...assignments, 'node', shellWord(program)].join(' ')
}

/** The text as one word of a POSIX shell. */
export function shellWord(text: string): string {
  return /^[\w/.:@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}
