import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { permissions } from '@muster/auth'
import { clip, toError } from '@muster/contract'
import { closest, distance } from 'fastest-levenshtein'
import { z } from 'zod'
import { reachesLocalhost } from './loopback.ts'
import { StartError } from './start-error.ts'
import { parseThrottleRates, throttleNames } from './throttle-rates.ts'

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

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

const secrets = ['DATABASE_URL', 'REDIS_URL', 'MUSTER_POLICIES'] as const

/** Variables that mean nothing without one another. */
const pairs = [
  ['MUSTER_TLS_CERT', 'MUSTER_TLS_KEY'],
  ['MUSTER_OIDC_ISSUER', 'MUSTER_OIDC_AUDIENCE'],
] as const

const key = z.base64('expected a key in base64').min(1).optional()
const examplePolicies = 'expected JSON such as [{"name":"ops","permissions":["ServiceConnect"]}]'
const policies = z.array(
  z.strictObject(
    {
      name: z.string().regex(/^[\w-]{1,64}$/, 'expected 1 to 64 letters, digits, - and _'),
      permissions: z.array(z.enum(permissions)).min(1),
      primaryKey: key,
      secondaryKey: key,
    },
    { error: (issue) => (issue.code === 'invalid_type' ? examplePolicies : undefined) },
  ),
  examplePolicies,
)

const hostName = z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/, 'expected host names, comma-separated')
const hostNames = z
  .string()
  .transform((text) => text.split(',').map((name) => name.trim()))
  .pipe(z.array(hostName))

const throttles = z.string().transform((text, context) => {
  const rates = parseThrottleRates(text)
  if (rates !== null) return rates
  const example = 'S1, S2 or S3, with units as in S2x3, or JSON such as {"twinReads":"100/s","queries":"20/min"}'
  context.addIssue({ code: 'custom', message: `expected ${example}, of ${throttleNames.join(', ')}` })
  return z.NEVER
})

/** http is allowed only for this machine: whoever can change the keys of the issuer on the way can do everything. */
const issuer = z
  .url({ protocol: /^https?$/, error: 'expected a URL such as https://login.example.com/tenant', abort: true })
  .refine((text) => text.startsWith('https:') || /^(localhost|127\.0\.0\.1|\[::1\])$/.test(new URL(text).hostname), {
    error: 'expected https, which may be left out for localhost only',
    abort: true,
  })

const variables = z
  .object({
    DATABASE_URL: url(/^postgres(ql)?$/, 'postgres://user:password@host:5432/muster').optional(),
    REDIS_URL: url(/^rediss?$/, 'redis://host:6379', { hostname: /./ }).optional(),
    MUSTER_REDIS_PREFIX: z
      .string()
      .regex(/^\{[\w-]+\}$/, 'expected a hash tag such as {muster}')
      .default('{muster}'),

    MUSTER_HOSTNAME: hostNames.default(['localhost']),
    MUSTER_BIND: z
      .string()
      .refine((text) => isIP(text) !== 0, {
        error: 'expected an address of this machine such as 127.0.0.1, or :: for all of them',
        abort: true,
      })
      .optional(),
    MUSTER_HTTPS_PORT: integer(0, 65_535).default(443),
    MUSTER_HTTP_PORT: integer(0, 65_535).default(8080),
    MUSTER_HTTP_HOST: z.string().default('127.0.0.1'),
    MUSTER_MQTTS_PORT: integer(0, 65_535).default(8883),
    MUSTER_TLS_CERT: z.string().optional(),
    MUSTER_TLS_KEY: z.string().optional(),
    MUSTER_DATA_DIR: z.string().optional(),
    MUSTER_POLICIES: z.string().transform(parseJson).pipe(policies).default([]),
    MUSTER_OIDC_ISSUER: issuer.optional(),
    MUSTER_OIDC_AUDIENCE: z.string().optional(),
    MUSTER_THROTTLE: throttles.default({}),

    MUSTER_LOG_LEVEL: z.enum(logLevels).default('info'),
    MUSTER_PG_POOL_SIZE: integer(2, 1000).default(20),
    MUSTER_PG_PREPARE: z.enum(['on', 'off']).default('on'),
    MUSTER_MAX_RUNNING_JOBS: integer(1, 100_000).default(100),
    MUSTER_HISTORY_DAYS: integer(1, 3650).default(30),
    MUSTER_WORKER_CONCURRENCY: integer(1, 256).default(8),
    MUSTER_CALLS_IN_FLIGHT: integer(1, 100_000).default(5000),
    MUSTER_SHUTDOWN_SECONDS: integer(1, 3600).default(25),
  })
  .superRefine((given, context) => {
    for (const [one, other] of pairs) {
      if ((given[one] === undefined) === (given[other] === undefined)) continue
      const missing = given[one] === undefined ? one : other
      context.addIssue({ code: 'custom', path: [missing], message: 'expected too, since its counterpart is set' })
    }
    const { MUSTER_BIND: bind, MUSTER_HOSTNAME: names } = given
    if (bind === undefined || reachesLocalhost(bind) || names.some((name) => name !== 'localhost')) return
    const message = `expected the name of the hub in your network, since MUSTER_BIND=${bind} serves no localhost`
    context.addIssue({ code: 'custom', path: ['MUSTER_HOSTNAME'], message })
  })

const settingNames: readonly string[] = [...Object.keys(variables.shape), ...secrets.map((name) => `${name}_FILE`)]

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

function integer(min: number, max: number) {
  const error = `expected a whole number from ${min} to ${max}`
  // Digits only: Number() takes " " for 0, which would be any free port.
  return z
    .string()
    .regex(/^\d+$/, { error, abort: true })
    .transform(Number)
    .pipe(z.int(error).min(min, error).max(max, error))
}

/** `hostname`: what it must be like. Postgres may have none, because it has Unix sockets too. */
function url(protocol: RegExp, example: string, { hostname = /^/ } = {}) {
  return z.url({ protocol, hostname, error: `expected a URL such as ${example}` })
}

function parseJson(text: string, context: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text)
  } catch {
    context.addIssue({ code: 'custom', message: examplePolicies })
    return z.NEVER
  }
}

function present(env: Environment): Record<string, string> {
  return Object.fromEntries(Object.entries(env).flatMap(([name, value]) => (value ? [[name, value] as const] : [])))
}

function secretsFromFiles(env: Environment): Record<string, string> {
  return Object.fromEntries(
    secrets.flatMap((name) => {
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
  const isSecret = secrets.some((secret) => secret === name)
  const got = value === undefined || isSecret ? '' : `, got "${clip(value)}"`
  return `${[name, ...members].join('.')}: ${issue.message}${got}`
}
