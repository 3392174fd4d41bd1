import { resolve } from 'node:path'
import type { Permission } from '@muster/auth'
import { type Environment, parseEnvironment, type Variables } from './environment.ts'
import { settings } from './settings.ts'
import type { ThrottleRates } from './throttle-rates.ts'

/** Everything that can be set from outside. */
export interface Config {
  /** Null: whoever composes the process finds or starts one. */
  readonly databaseUrl: string | null
  readonly redisUrl: string | null
  readonly redisPrefix: string
  /** Postgres connections of this process. */
  readonly poolSize: number
  /** Hot statements are planned once for each connection. False: for a pooler of transactions that may lose them. */
  readonly prepareStatements: boolean

  /** At least one. The first is the name of the hub; tokens for any of them verify. */
  readonly hostNames: readonly string[]
  /** The address of the HTTPS and the MQTTS port; `::` is every address of the machine. */
  readonly bind: string
  /** Ports: 0 takes any free one. */
  readonly httpsPort: number
  readonly httpPort: number
  readonly httpHost: string
  readonly mqttsPort: number
  /** Null: a CA and a certificate of our own, in the data folder. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | null
  /** Absolute. */
  readonly dataDir: string
  /** Addresses and subnets of balancers that are believed where a request comes from. */
  readonly trustedProxies: readonly string[]
  /** Addresses and subnets to which webhooks may go, though they are not public. */
  readonly webhookAllowedNetworks: readonly string[]
  readonly policies: readonly ConfiguredPolicy[]
  /** The issuer whose bearer tokens are accepted beside SAS tokens. Null: none. */
  readonly oidc: { readonly issuer: string; readonly audience: string } | null
  /** Empty: nothing is limited. */
  readonly throttles: ThrottleRates
  /** Opens the pages for the operator below `/internal`. Null: there are none. */
  readonly operatorToken: string | null

  /** Where traces go, and which part of them: 0 to 1. Null: nothing is traced. */
  readonly tracing: {
    readonly endpoint: string
    readonly headers: Readonly<Record<string, string>>
    readonly ratio: number
  } | null

  readonly logLevel: Variables['MUSTER_LOG_LEVEL']
  /** More jobs wait in `queued`. */
  readonly maxRunningJobs: number
  /** How long a job can be read after it has ended. */
  readonly historyDays: number
  /** Wake-ups that one worker process works on at the same time. */
  readonly workerConcurrency: number
  /** Device calls that one worker process waits for at the same time. */
  readonly callsInFlight: number
  readonly shutdownSeconds: number
}

/** A policy beside the five default ones, or a change of one of them. Absent keys are made when it is first stored. */
export interface ConfiguredPolicy {
  readonly name: string
  readonly permissions: readonly Permission[]
  readonly primaryKey?: string | undefined
  readonly secondaryKey?: string | undefined
}

/** The values of a program for variables that are not set. */
export interface Defaults {
  readonly dataDir: string
  /** Absent: every address. */
  readonly bind?: string
}

/** Reads the environment, as `explainConfig` does, and nothing else in the product. Throws StartError, see `parseEnvironment`. */
export function loadConfig(defaults: Defaults, env: Environment = process.env): Config {
  const variables = parseEnvironment(env)
  const { MUSTER_TLS_CERT: certFile, MUSTER_TLS_KEY: keyFile } = variables
  const { MUSTER_OIDC_ISSUER: issuer, MUSTER_OIDC_AUDIENCE: audience } = variables
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_HEADERS: headers = {} } = variables
  return {
    databaseUrl: variables.DATABASE_URL ?? null,
    redisUrl: variables.REDIS_URL ?? null,
    redisPrefix: variables.MUSTER_REDIS_PREFIX,
    poolSize: variables.MUSTER_PG_POOL_SIZE,
    prepareStatements: variables.MUSTER_PG_PREPARE === 'on',
    hostNames: variables.MUSTER_HOSTNAME,
    bind: variables.MUSTER_BIND ?? defaults.bind ?? '::',
    httpsPort: variables.MUSTER_HTTPS_PORT,
    httpPort: variables.MUSTER_HTTP_PORT,
    httpHost: variables.MUSTER_HTTP_HOST,
    mqttsPort: variables.MUSTER_MQTTS_PORT,
    tls: certFile !== undefined && keyFile !== undefined ? { certFile, keyFile } : null,
    // The path is printed for people who may be in another folder.
    dataDir: resolve(variables.MUSTER_DATA_DIR ?? defaults.dataDir),
    trustedProxies: variables.MUSTER_TRUSTED_PROXIES,
    webhookAllowedNetworks: variables.MUSTER_WEBHOOK_ALLOWED_NETWORKS,
    policies: variables.MUSTER_POLICIES,
    oidc: issuer !== undefined && audience !== undefined ? { issuer, audience } : null,
    throttles: variables.MUSTER_THROTTLE,
    operatorToken: variables.MUSTER_OPERATOR_TOKEN ?? null,
    tracing: endpoint === undefined ? null : { endpoint, headers, ratio: variables.OTEL_TRACES_SAMPLER_ARG },
    logLevel: variables.MUSTER_LOG_LEVEL,
    maxRunningJobs: variables.MUSTER_MAX_RUNNING_JOBS,
    historyDays: variables.MUSTER_HISTORY_DAYS,
    workerConcurrency: variables.MUSTER_WORKER_CONCURRENCY,
    callsInFlight: variables.MUSTER_CALLS_IN_FLIGHT,
    shutdownSeconds: variables.MUSTER_SHUTDOWN_SECONDS,
  }
}

/** What a variable comes to, without passwords and keys. */
export interface EffectiveSetting {
  readonly value: unknown
  readonly origin: 'default' | 'environment' | 'file'
}

/** Every setting by its name in the environment, for printing. Throws StartError, see `parseEnvironment`. */
export function explainConfig(
  defaults: Defaults,
  env: Environment = process.env,
): Readonly<Record<string, EffectiveSetting>> {
  const { bind, dataDir } = loadConfig(defaults, env)
  const values: Variables = { ...parseEnvironment(env), MUSTER_BIND: bind, MUSTER_DATA_DIR: dataDir }
  const shown = new Map<string, unknown>(Object.entries({ ...values, ...redacted(values) }))
  return Object.fromEntries(
    settings.map(({ name }) => [name, { value: shown.get(name) ?? null, origin: originOf(name, env) }]),
  )
}

function originOf(name: string, env: Environment): EffectiveSetting['origin'] {
  if (env[name]) return 'environment'
  return env[`${name}_FILE`] ? 'file' : 'default'
}

function redacted(values: Variables): Partial<Record<keyof Variables, unknown>> {
  return {
    DATABASE_URL: redactUrl(values.DATABASE_URL),
    REDIS_URL: redactUrl(values.REDIS_URL),
    MUSTER_OPERATOR_TOKEN: values.MUSTER_OPERATOR_TOKEN === undefined ? null : '***',
    OTEL_EXPORTER_OTLP_HEADERS: Object.keys(values.OTEL_EXPORTER_OTLP_HEADERS ?? {}),
    MUSTER_POLICIES: values.MUSTER_POLICIES.map(({ name, permissions }) => ({ name, permissions })),
  }
}

function redactUrl(text: string | undefined): string | null {
  if (text === undefined) return null
  const url = new URL(text)
  if (url.password !== '') url.password = '***'
  // The Postgres driver takes the password from here too.
  if (url.searchParams.has('password')) url.searchParams.set('password', '***')
  return url.href
}
