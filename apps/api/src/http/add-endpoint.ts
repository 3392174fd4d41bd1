import type { OpenAPIHono } from '@hono/zod-openapi'
import { limits, vocabularyOf } from '@muster/contract'
import type { MiddlewareHandler } from 'hono'
import type { LimitFunction } from 'p-limit'
import type { Authorize } from './authorize.ts'
import type { ApiEnv, Deps, Endpoint } from './endpoint.ts'
import { describeEndpoint } from './openapi.ts'
import { receiveBody } from './request-body.ts'
import { chargeBody, throttle } from './throttle.ts'

/** The checks before every endpoint of an app. */
interface Gates extends Pick<Deps, 'throttles'> {
  readonly authorize: Authorize
  readonly largeBodies: LimitFunction
}

/** Adds an endpoint to the app, after the checks of permission, version, throttle and body, and adds it to the document. */
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
