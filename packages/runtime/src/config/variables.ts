import { isIP } from 'node:net'
import { permissions } from '@muster/auth'
import { z } from 'zod'
import { reachesLocalhost } from './loopback.ts'
import type { RoleName } from './role-names.ts'
import { parseThrottleRates, throttleNames } from './throttle-rates.ts'

/** What people read of a variable. Its bounds and its default are in its schema. */
interface Description {
  readonly what: string
  /** The roles whose processes use it. Absent: every process. */
  readonly readBy?: readonly (RoleName | 'migrate')[]
  /** What a value looks like, where the schema has no bounds and no list of words. */
  readonly values?: string
  readonly unit?: string
  /** What holds without it, where that is no value. */
  readonly otherwise?: string
  /** It is never printed, and may come from a file: `NAME_FILE`. */
  readonly isSecret?: true
}

export const descriptions = z.registry<Description>()

const tlsRoles = ['api', 'gateway'] as const

/** Variables that mean nothing without one another. */
const pairs = [
  ['MUSTER_TLS_CERT', 'MUSTER_TLS_KEY'],
  ['MUSTER_OIDC_ISSUER', 'MUSTER_OIDC_AUDIENCE'],
] as const

const ports = ['MUSTER_HTTPS_PORT', 'MUSTER_HTTP_PORT', 'MUSTER_MQTTS_PORT'] as const

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

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
const addresses = z.union(
  [z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()],
  'expected addresses and subnets such as 10.0.0.0/8, comma-separated',
)

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

const bind = z.string().refine((text) => isIP(text) !== 0, {
  error: 'expected an address of this machine such as 127.0.0.1, or :: for all of them',
  abort: true,
})

/** As OpenTelemetry has them: a list of pairs in one line, with values that are escaped as in a URL. */
const headers = z.string().transform((text, context) => {
  const pairs = text.split(',').map((pair) => /^\s*([!-~]+?)\s*=\s*(.*?)\s*$/.exec(pair))
  if (pairs.every((pair) => pair !== null)) {
    return Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, unescaped(value)] as const))
  }
  context.addIssue({
    code: 'custom',
    message: 'expected headers such as authorization=Bearer%20secret, comma-separated',
  })
  return z.NEVER
})

/** Every variable that the product reads, by its name in the environment. */
export const variables = z
  .object({
    DATABASE_URL: url(/^postgres(ql)?$/, 'postgres://user:password@host:5432/muster')
      .optional()
      .register(descriptions, {
        what: 'Postgres',
        values: '`postgres://user:password@host:5432/muster`',
        otherwise: '`muster all` and the quickstart start one',
        isSecret: true,
      }),
    REDIS_URL: url(/^rediss?$/, 'redis://host:6379', { hostname: /./ })
      .optional()
      .register(descriptions, {
        what: 'Redis',
        values: '`redis://:password@host:6379`, `rediss://` for TLS',
        otherwise: '`muster all` and the quickstart start one',
        isSecret: true,
      }),
    MUSTER_REDIS_PREFIX: z
      .string()
      .regex(/^\{[\w-]+\}$/, 'expected a hash tag such as {muster}')
      .default('{muster}')
      .register(descriptions, {
        what: 'what the names of all keys in Redis begin with. Two hubs in one Redis need two',
        values: 'a hash tag',
      }),

    MUSTER_HOSTNAME: list(hostName).default(['localhost']).register(descriptions, {
      what: 'the names of the hub. The first is in connection strings; tokens for any of them are good',
      values: 'host names, comma-separated',
      readBy: tlsRoles,
    }),
    MUSTER_BIND: bind.optional().register(descriptions, {
      what: 'the address of the HTTPS port and the MQTTS port. `::` is every address of the machine',
      values: 'an IP address',
      otherwise: '`127.0.0.1` for `muster all` and the quickstart, `::` for roles by name',
      readBy: tlsRoles,
    }),
    MUSTER_HTTPS_PORT: integer(0, 65_535).default(443).register(descriptions, {
      what: 'the port of the service API and of MQTT over WebSocket. 0 is any free one. 8443, where 443 may not be opened',
      readBy: tlsRoles,
    }),
    MUSTER_HTTP_PORT: integer(0, 65_535).default(8080).register(descriptions, {
      what: 'the port without TLS: health, metrics, and the service API for an ingress',
    }),
    MUSTER_HTTP_HOST: z.string().default('127.0.0.1').register(descriptions, {
      what: 'the address of the port without TLS',
      values: 'an address of this machine',
    }),
    MUSTER_MQTTS_PORT: integer(0, 65_535)
      .default(8883)
      .register(descriptions, {
        what: 'the port of MQTT over TLS',
        readBy: ['gateway'],
      }),
    MUSTER_TLS_CERT: z.string().optional().register(descriptions, {
      what: 'the file of the certificate and its chain',
      values: 'a PEM file',
      otherwise: 'a certificate of a CA of the hub itself, in `MUSTER_DATA_DIR`',
      readBy: tlsRoles,
    }),
    MUSTER_TLS_KEY: z.string().optional().register(descriptions, {
      what: 'the file of the key of that certificate',
      values: 'a PEM file',
      otherwise: 'as above',
      readBy: tlsRoles,
    }),
    MUSTER_TRUSTED_PROXIES: list(addresses)
      .default([])
      .register(descriptions, {
        what: 'balancers whose `X-Forwarded-For` says where a request comes from',
        values: 'addresses and subnets, comma-separated',
        otherwise: 'none: the address of the connection counts',
        readBy: ['api'],
      }),
    MUSTER_WEBHOOK_ALLOWED_NETWORKS: list(addresses)
      .default([])
      .register(descriptions, {
        what: 'networks of yours to which webhooks may go, beside the public internet',
        values: 'addresses and subnets, comma-separated',
        otherwise: 'none: webhooks go to public addresses only',
        readBy: ['api', 'dispatcher'],
      }),
    MUSTER_DATA_DIR: z.string().optional().register(descriptions, {
      what: 'the folder for the certificates of the hub itself; for `muster all` and the quickstart also for the data',
      values: 'a folder',
      otherwise: 'a folder of the user who starts it',
      readBy: tlsRoles,
    }),
    MUSTER_POLICIES: z
      .string()
      .transform(parseJson)
      .pipe(policies)
      .default([])
      .register(descriptions, {
        what: 'access policies that `muster migrate` adds or changes. Keys that are absent are made',
        values: '`[{"name":"ops","permissions":["ServiceConnect"]}]`',
        otherwise: 'the five default ones',
        readBy: ['migrate'],
        isSecret: true,
      }),
    MUSTER_OIDC_ISSUER: issuer.optional().register(descriptions, {
      what: 'the issuer whose bearer tokens are accepted beside SAS tokens',
      values: '`https://login.example.com/tenant`',
      otherwise: 'SAS tokens only',
      readBy: ['api'],
    }),
    MUSTER_OIDC_AUDIENCE: z
      .string()
      .optional()
      .register(descriptions, {
        what: 'the audience that a bearer token must name',
        values: 'any text',
        otherwise: 'SAS tokens only',
        readBy: ['api'],
      }),
    MUSTER_THROTTLE: throttles.default({}).register(descriptions, {
      what: 'limits of rates, for the whole hub. The same in every process',
      values: '`S1`, `S2x3`, or `{"twinReads":"100/s"}`',
      otherwise: 'nothing is limited',
    }),

    MUSTER_OPERATOR_TOKEN: z
      .string()
      .regex(/^[!-~]{16,256}$/, 'expected 16 to 256 ASCII characters without spaces')
      .optional()
      .register(descriptions, {
        what: 'opens the pages for the operator below `/internal`, as a bearer token or as a password',
        values: '16 to 256 ASCII characters',
        otherwise: 'there are no such pages',
        isSecret: true,
      }),

    OTEL_EXPORTER_OTLP_ENDPOINT: url(/^https?$/, 'http://collector:4318')
      .optional()
      .register(descriptions, {
        what: 'the collector that gets the traces, by OTLP over HTTP at `/v1/traces`',
        values: '`http://collector:4318`',
        otherwise: 'nothing is traced',
      }),
    OTEL_EXPORTER_OTLP_HEADERS: headers.optional().register(descriptions, {
      what: 'what the collector asks for',
      values: '`authorization=Bearer%20secret`, comma-separated',
      otherwise: 'none',
      isSecret: true,
    }),
    OTEL_TRACES_SAMPLER_ARG: z
      .string()
      .regex(/^(0(\.\d+)?|1(\.0+)?)$/, 'expected a number from 0 to 1')
      .transform(Number)
      .pipe(z.number().min(0).max(1))
      .default(1)
      .register(descriptions, {
        what: 'the part of the traces that is kept. A caller that sends `traceparent` decides it for its own',
      }),

    MUSTER_LOG_LEVEL: z.enum(logLevels).default('info').register(descriptions, {
      what: 'the least important lines that are logged',
    }),
    MUSTER_PG_POOL_SIZE: integer(2, 1000).default(20).register(descriptions, {
      what: 'connections to Postgres that the process opens at most; a gateway has two more',
    }),
    MUSTER_PG_PREPARE: z.enum(['on', 'off']).default('on').register(descriptions, {
      what: '`off` for a pooler that loses prepared statements',
    }),
    MUSTER_MAX_RUNNING_JOBS: integer(1, 100_000)
      .default(100)
      .register(descriptions, {
        what: 'jobs that run at the same time. More wait as `queued`. The same in every process: dispatchers keep to it, and an API tells of it',
        readBy: ['api', 'dispatcher'],
      }),
    MUSTER_HISTORY_DAYS: integer(1, 3650)
      .default(30)
      .register(descriptions, {
        what: 'how long a job can be read after it has ended',
        unit: 'days',
        readBy: ['dispatcher'],
      }),
    MUSTER_WORKER_CONCURRENCY: integer(1, 256)
      .default(8)
      .register(descriptions, {
        what: 'wake-ups that the process works on at the same time',
        readBy: ['worker'],
      }),
    MUSTER_CALLS_IN_FLIGHT: integer(1, 100_000)
      .default(5000)
      .register(descriptions, {
        what: 'device calls that the process waits for at the same time',
        readBy: ['worker'],
      }),
    MUSTER_SHUTDOWN_SECONDS: integer(1, 3600).default(25).register(descriptions, {
      what: 'how long a stop may take. The grace period of a container must be twelve seconds longer, and longer by what its preStop waits',
      unit: 'seconds',
    }),
  })
  .superRefine((given, context) => {
    const complain = (name: keyof typeof given, message: string) =>
      context.addIssue({ code: 'custom', path: [name], message })
    for (const [one, other] of pairs) {
      if ((given[one] === undefined) === (given[other] === undefined)) continue
      const [missing, present] = given[one] === undefined ? [one, other] : [other, one]
      complain(missing, `expected too, since ${present} is set`)
    }
    for (const [index, one] of ports.entries()) {
      const same = ports.slice(0, index).find((other) => given[other] === given[one] && given[one] !== 0)
      if (same !== undefined) complain(one, `expected another port than that of ${same}`)
    }
    const { MUSTER_BIND: bind, MUSTER_HOSTNAME: names } = given
    if (bind === undefined || reachesLocalhost(bind) || names.some((name) => name !== 'localhost')) return
    const reason = `since MUSTER_BIND=${bind} serves no localhost`
    complain('MUSTER_HOSTNAME', `expected the name of the hub in your network, ${reason}`)
  })

function list<Item extends z.ZodType<string, string>>(item: Item) {
  return z
    .string()
    .transform((text) => text.split(',').map((part) => part.trim()))
    .pipe(z.array(item))
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

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function parseJson(text: string, context: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text)
  } catch {
    context.addIssue({ code: 'custom', message: examplePolicies })
    return z.NEVER
  }
}
