import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Permission } from '@muster/auth'
import { limits, type Vocabulary, vocabularyOf } from '@muster/contract'
import type { Account, Hub, ThrottleName } from '@muster/runtime'
import type { Context, MiddlewareHandler } from 'hono'
import type { LimitFunction } from 'p-limit'
import type { ZodType } from 'zod'
import type { Authorize } from './authorize.ts'
import type { ErrorForm } from './errors.ts'
import { describeEndpoint } from './openapi.ts'
import { receiveBody } from './request-body.ts'
import { chargeBody, throttle } from './throttle.ts'

/** What the routes need of the hub. */
export type Deps = Pick<Hub, 'db' | 'bus' | 'clock' | 'events' | 'throttles'>

/** What a request carries on its way through the app. */
export interface ApiEnv {
  /** What the front of the process found wrong with a request, as a sentence. Absent: nothing came through a front. */
  Bindings: { readonly fault?: string | null }
  Variables: {
    trackingId: string
    /** The pattern of the address, never an id: it is a label of a metric. */
    route: string
    errorForm: ErrorForm
    vocabulary: Vocabulary
    /** Whose tokens of throttles a request takes. */
    account: Account
    /** Of an endpoint that takes one. */
    body: Uint8Array
  }
}

export type ApiContext = Context<ApiEnv>

/** One address of the API: what its document says, who may call it, and what it does. */
export interface Endpoint {
  readonly method: 'get' | 'put' | 'post' | 'patch' | 'delete'
  /** Parameters in braces. */
  readonly path: string
  readonly summary: string
  readonly permission: Permission
  /** What a call of it counts as. */
  readonly throttle: ThrottleName
  /** Query parameters beside `api-version`, and headers, with what they mean. */
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: ZodType
  /** The largest body it takes, where that is not `limits.requestBodyBytes`. */
  readonly bodyBytes?: number
  /** Null: the reply has no body. */
  readonly reply: ZodType | null
  /** Direct methods have an error form of their own since 2018. */
  readonly errorForm?: 'nested'
  handle(c: ApiContext): Promise<Response>
}

/** What stands before every endpoint of an app. */
interface Gates extends Pick<Deps, 'throttles'> {
  readonly authorize: Authorize
  readonly largeBodies: LimitFunction
}

/** Puts an endpoint behind its permission, its version, its throttle and the reading of its body, and into the document. */
export function addEndpoint(
  app: OpenAPIHono<ApiEnv>,
  endpoint: Endpoint,
  { authorize, throttles, largeBodies }: Gates,
): void {
  const { method, path, body, bodyBytes = limits.requestBodyBytes } = endpoint
  app.openAPIRegistry.registerPath(describeEndpoint(endpoint))
  app.on(
    method.toUpperCase(),
    path.replaceAll(/{(.+?)}/g, ':$1'),
    admit(endpoint, authorize),
    throttle(throttles, endpoint.throttle),
    ...(body === undefined ? [] : [receiveBody(bodyBytes, largeBodies), chargeBody(throttles, endpoint.throttle)]),
    (c) => endpoint.handle(c),
  )
}

function admit({ path, permission, errorForm }: Endpoint, authorize: Authorize): MiddlewareHandler<ApiEnv> {
  return async function admitRequest(c, next) {
    const apiVersion = c.req.query('api-version')
    c.set('route', path)
    if (errorForm === 'nested' && apiVersion !== undefined && apiVersion >= '2018') c.set('errorForm', 'nested')
    const { account } = await authorize({ authorization: c.req.header('authorization'), path: c.req.path, permission })
    c.set('account', account)
    c.set('vocabulary', vocabularyOf(apiVersion))
    await next()
  }
}
