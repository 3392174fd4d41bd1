import { usageError } from '../failure.ts'

/** Azure's command line as it stands, in ours. */

/** `az iot hub X Y` is `muster Z` here. The longest words that fit count. */
const commands: readonly (readonly [azure: string, own: string])[] = [
  ['job create', 'job create'],
  ['job list', 'job list'],
  ['job show', 'job show'],
  ['job cancel', 'job cancel --yes'],
  ['device-identity create', 'device create'],
  ['device-identity list', 'device list'],
  ['device-identity show', 'device show'],
  ['device-identity update', 'device update'],
  ['device-identity delete', 'device delete --yes'],
  ['device-identity connection-string show', 'device connection-string'],
  ['device-twin list', 'device list'],
  ['device-twin show', 'twin show'],
  ['device-twin update', 'twin update'],
  ['device-twin replace', 'twin replace --yes'],
  ['module-twin show', 'twin show'],
  ['module-twin update', 'twin update'],
  ['module-twin replace', 'twin replace --yes'],
  ['invoke-device-method', 'method invoke'],
  ['invoke-module-method', 'method invoke'],
  ['query', 'query'],
]

/**
 * The words of a command line. After the prefix `iot hub` the command has Azure's name, which is replaced by ours; the output is JSON, and
 * nothing asks, as there. Other names of options are with the options themselves.
 * @throws CommandError when the prefix stands before something that this program does not have
 */
export function ownWords(words: readonly string[]): readonly string[] {
  if (words[0] !== 'iot' || words[1] !== 'hub') return words
  const rest = words.slice(2)
  const [azure, own] = commands.find(([azure]) => startsWith(rest, azure.split(' '))) ?? []
  if (azure === undefined || own === undefined) {
    throw usageError(
      `"iot hub ${rest.slice(0, 2).join(' ')}" is none of ${commands.map(([azure]) => azure).join(', ')}`,
    )
  }
  const given = rest.slice(azure.split(' ').length)
  const hasOutput = given.some((word) => /^(-o|--output(=.*)?)$/.test(word))
  return [...own.split(' '), ...given, ...(hasOutput ? [] : ['--output', 'json'])]
}

function startsWith(words: readonly string[], start: readonly string[]): boolean {
  return start.every((word, index) => words[index] === word)
}
