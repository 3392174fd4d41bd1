import { readFileSync } from 'node:fs'
import { clip, toError } from '@muster/contract'
import { closest, distance } from 'fastest-levenshtein'
import type { z } from 'zod'
import { secretNames, settings } from './settings.ts'
import { StartError } from './start-error.ts'
import { variables } from './variables.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Every variable that the product reads, with its bounds and its default, by its name in the environment. */
export type Variables = z.output<typeof variables>

/**
 * Parses the environment. An empty value counts as absent; a secret may come from a file: `DATABASE_URL_FILE`.
 * @throws StartError that names every wrong variable, its value unless it is a secret, and what was expected.
 */
export function parseEnvironment(env: Environment): Variables {
  const given = { ...present(env), ...secretsFromFiles(env) }
  const unknown = unknownSettings(given).map(complaintOfUnknown)
  const parsed = variables.safeParse(given)
  if (parsed.success && unknown.length === 0) return parsed.data
  const wrong = parsed.error?.issues.map((issue) => complaintOf(issue, given)) ?? []
  throw new StartError([...unknown, ...wrong].join('; '))
}

const settingNames = [...settings.map(({ name }) => name), ...secretNames.map((name) => `${name}_FILE`)]

/** Names that look like settings and are none. Those of the tests begin with `MUSTER_TEST_`. */
function unknownSettings(given: Environment): readonly string[] {
  return Object.keys(given).filter(
    (name) =>
      name.startsWith('MUSTER_') &&
      !name.startsWith('MUSTER_TEST_') &&
      !settingNames.includes(name) &&
      !isServiceAddress(name, given[name] ?? ''),
  )
}

/** Kubernetes tells every container the addresses of the Services beside it: of one named `muster-api`, `MUSTER_API_PORT` and more. */
function isServiceAddress(name: string, value: string): boolean {
  return /_SERVICE_(HOST|PORT)(_|$)|_PORT_\d+_(TCP|UDP|SCTP)(_|$)/.test(name) || /^(tcp|udp|sctp):\/\//.test(value)
}

/** Near: at most a third of the word is wrong. `MUSTER_` is no part of it, else every short name would be near to every other. */
function complaintOfUnknown(name: string): string {
  const word = withoutPrefix(name)
  const nearest = closest(word, settingNames.map(withoutPrefix))
  const setting = settingNames.find((setting) => withoutPrefix(setting) === nearest)
  const isNear = distance(word, nearest) <= word.length / 3
  return isNear
    ? `${name} is no setting; the nearest is ${setting}`
    : `${name} is no setting; the settings are ${settingNames.join(', ')}`
}

function withoutPrefix(name: string): string {
  return name.replace(/^MUSTER_/, '')
}

function present(env: Environment): Record<string, string> {
  return Object.fromEntries(Object.entries(env).flatMap(([name, value]) => (value ? [[name, value] as const] : [])))
}

function secretsFromFiles(env: Environment): Record<string, string> {
  return Object.fromEntries(
    secretNames.flatMap((name) => {
      const file = env[`${name}_FILE`]
      if (!file) return []
      if (env[name]) throw new StartError(`${name} and ${name}_FILE are both set; expected one of them`)
      return [[name, readSecret(`${name}_FILE`, file)] as const]
    }),
  )
}

function readSecret(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (cause) {
    throw new StartError(`${name}: ${toError(cause).message}`, { cause })
  }
}

function complaintOf(issue: z.core.$ZodIssue, given: Environment): string {
  const [name = '', ...members] = issue.path.map(String)
  const value = given[name]
  const got = value === undefined || secretNames.includes(name) ? '' : `, got "${clip(value)}"`
  return `${[name, ...members].join('.')}: ${issue.message}${got}`
}
