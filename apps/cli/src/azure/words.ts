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
  ['device-identity delete', 'device delete'],
  ['device-identity connection-string show', 'device connection-string'],
  ['device-twin list', 'device list'],
  ['device-twin show', 'twin show'],
  ['device-twin update', 'twin update'],
  ['device-twin replace', 'twin replace'],
  ['module-twin show', 'twin show'],
  ['module-twin update', 'twin update'],
  ['module-twin replace', 'twin replace'],
  ['invoke-device-method', 'method invoke'],
  ['invoke-module-method', 'method invoke'],
  ['query', 'query'],
]

/** Other names of options, each with two dashes and more than one letter, which commander has no place for. */
const options: Readonly<Record<string, string>> = {
  '--jt': '--job-type',
  '--js': '--job-status',
  '--patch': '--twin-patch',
  '--mn': '--method-name',
  '--mp': '--method-payload',
  '--mct': '--method-connect-timeout',
  '--mrt': '--method-response-timeout',
  '--start': '--start-time',
  '--interval': '--poll-interval',
  '--duration': '--poll-duration',
  '--am': '--auth-method',
  '--ee': '--edge-enabled',
  '--pk': '--primary-key',
  '--sk': '--secondary-key',
  '--ptp': '--primary-thumbprint',
  '--stp': '--secondary-thumbprint',
  '--sta': '--status',
  '--star': '--status-reason',
}

/**
 * The words of a command line, with the names that only Azure's has replaced by ours. After the prefix `iot hub` the output is JSON,
 * and nothing asks, as there.
 * @throws CommandError when the prefix stands before something that this program does not have
 */
export function ownWords(words: readonly string[]): readonly string[] {
  if (words[0] !== 'iot' || words[1] !== 'hub') return withOwnOptions(words)
  const rest = words.slice(2)
  const [azure, own] = commands.find(([azure]) => startsWith(rest, azure.split(' '))) ?? []
  if (azure === undefined || own === undefined) {
    throw usageError(
      `"iot hub ${rest.slice(0, 2).join(' ')}" is none of ${commands.map(([azure]) => azure).join(', ')}`,
    )
  }
  const given = rest.slice(azure.split(' ').length)
  const hasOutput = given.some((word) => /^(-o|--output(=.*)?)$/.test(word))
  return [...own.split(' '), ...withOwnOptions(given), ...(hasOutput ? [] : ['--output', 'json'])]
}

function startsWith(words: readonly string[], start: readonly string[]): boolean {
  return start.every((word, index) => words[index] === word)
}

/** `--jt x` and `--jt=x`. Everything after `--` is left alone. */
function withOwnOptions(words: readonly string[]): readonly string[] {
  const end = words.indexOf('--')
  return words.map((word, index) => {
    if (end !== -1 && index > end) return word
    const [name = '', ...value] = word.split('=')
    return Object.hasOwn(options, name) ? [options[name], ...value].join('=') : word
  })
}
