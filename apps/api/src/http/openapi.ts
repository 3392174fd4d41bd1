import type { RouteConfig } from '@hono/zod-openapi'
import { errorNames, limits } from '@muster/contract'
import { z } from 'zod'
import { sessionCookie } from './authorize.ts'
import { type Endpoint, type Example, takesSession } from './endpoint.ts'
import { errorSchema } from './schemas.ts'

export const documentInfo = {
  openapi: '3.1.0',
  info: {
    title: 'Muster service API',
    version: '2021-04-12',
    description:
      'Jobs, twins, direct methods, device identities and queries, on the wire as the SDKs of Azure IoT Hub speak it. Every api-version from 2016-09-30-preview on is accepted.',
  },
  security: [{ sharedAccessSignature: [] }, { bearer: [] }],
}

export const securitySchemes = {
  sharedAccessSignature: {
    type: 'apiKey',
    in: 'header',
    name: 'Authorization',
    description: 'SharedAccessSignature sr=<host>&sig=<signature>&se=<expiry, seconds since 1970>&skn=<policy>',
  },
  bearer: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description:
      'A token of the OpenID Connect issuer, where the hub has one; roles, scp or scope name the permissions',
  },
  session: {
    type: 'apiKey',
    in: 'cookie',
    name: sessionCookie,
    description: 'Of a browser, from POST /sessions; for GET only',
  },
} as const

/** The page fills it in. A program has to say it: which words an answer has depends on it. */
const apiVersion = z.string().openapi({ description: 'A date. Required.', example: documentInfo.info.version })

/** An endpoint as the document shows it. */
export function describeEndpoint(endpoint: Endpoint): RouteConfig {
  const {
    method,
    path,
    operationId,
    summary,
    permission,
    throttle,
    body,
    bodyBytes = limits.requestBodyBytes,
    example = {},
  } = endpoint
  const bodyLimit = body === undefined ? '' : ` Its body may have ${bodyBytes / 1024 / 1024} MiB.`
  return {
    method,
    path,
    operationId,
    summary,
    description: `Needs the permission ${permission}. Counts as ${throttle}.${bodyLimit}`,
    tags: [path.split('/')[1] ?? ''],
    ...(takesSession(endpoint) ? { security: [...documentInfo.security, { session: [] }] } : {}),
    request: {
      params: described(Object.fromEntries(parametersOf(path).map((name) => [name, ''])), {
        examples: { ...exampleIds, ...example.path },
      }),
      query: z.object({
        'api-version': apiVersion,
        ...described(endpoint.query ?? {}, { examples: example.query, words: endpoint.words }).partial().shape,
      }),
      headers: described(endpoint.headers ?? {}, { examples: example.headers }).partial(),
      ...(body === undefined ? {} : { body: { required: true, content: jsonContent(body, example.body) } }),
    },
    responses: {
      ...describeReply(endpoint),
      default: {
        description:
          'An error; the header iothub-errorcode has its name, and the status the first three digits of its code',
        headers: z.object({ 'iothub-errorcode': z.string().openapi({ enum: errorNames }) }),
        content: { 'application/json': { schema: errorSchema } },
      },
    },
  }
}

/** What the examples name; `id` is that of a webhook. The hub of `npm start` has the device. */
const exampleIds: Readonly<Record<string, string>> = {
  deviceId: 'demo-001',
  moduleId: 'thermostat',
  jobId: 'reboot-floor-3',
  scheduleId: 'weekly-reboot',
  id: 'operations',
}

function parametersOf(path: string): readonly string[] {
  return [...path.matchAll(/{(.+?)}/g)].map(([, name = '']) => name)
}

function jsonContent(schema: z.ZodType, example: unknown) {
  return { 'application/json': { schema, ...(example === undefined ? {} : { example }) } }
}

function describeReply({ reply, replyType, otherTypes = [], example }: Endpoint): RouteConfig['responses'] {
  if (replyType !== undefined) {
    const content = { [replyType]: { schema: z.string() } }
    return { 200: { description: 'A stream that goes on', content }, 204: { description: 'Nothing more will come' } }
  }
  if (reply === null) return { 204: { description: 'Done' } }
  const others = Object.fromEntries(otherTypes.map((type) => [type, { schema: z.string() }]))
  return { 200: { description: 'Done', content: { ...jsonContent(reply, example?.reply), ...others } } }
}

/** Parameters with what they mean. The reference page fills in their examples. */
function described(
  members: Readonly<Record<string, string>>,
  { examples = {}, words = {} }: { examples?: Example['query']; words?: Endpoint['words'] },
) {
  return z.object(
    Object.fromEntries(
      Object.entries(members).map(([name, description]) => [
        name,
        z.string().openapi({ description, ...only('example', examples[name]), ...only('enum', words[name]) }),
      ]),
    ),
  )
}

function only<Name extends string, Value>(name: Name, value: Value | undefined) {
  return value === undefined ? {} : { [name]: value }
}
