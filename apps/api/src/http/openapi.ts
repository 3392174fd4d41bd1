import type { RouteConfig } from '@hono/zod-openapi'
import { limits } from '@muster/contract'
import { z } from 'zod'
import { sessionCookie } from './authorize.ts'
import { type Endpoint, takesSession } from './endpoint.ts'
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
      params: described(Object.fromEntries([...path.matchAll(/{(.+?)}/g)].map(([, name = '']) => [name, '']))),
      query: z.object({ 'api-version': apiVersion, ...described(endpoint.query ?? {}).partial().shape }),
      headers: described(endpoint.headers ?? {}).partial(),
      ...(body === undefined ? {} : { body: { required: true, content: { 'application/json': { schema: body } } } }),
    },
    responses: {
      ...describeReply(endpoint),
      default: {
        description:
          'An error; the header iothub-errorcode has its name, and the status the first three digits of its code',
        content: { 'application/json': { schema: errorSchema } },
      },
    },
  }
}

function describeReply({ reply, replyType }: Endpoint): RouteConfig['responses'] {
  if (replyType !== undefined) {
    const content = { [replyType]: { schema: z.string() } }
    return { 200: { description: 'A stream that goes on', content }, 204: { description: 'Nothing more will come' } }
  }
  if (reply === null) return { 204: { description: 'Done' } }
  return { 200: { description: 'Done', content: { 'application/json': { schema: reply } } } }
}

function described(members: Readonly<Record<string, string>>) {
  return z.object(
    Object.fromEntries(
      Object.entries(members).map(([name, description]) => [name, z.string().openapi({ description })]),
    ),
  )
}
