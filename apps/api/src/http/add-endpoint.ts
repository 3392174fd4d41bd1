import type { OpenAPIHono } from '@hono/zod-openapi'
import { limits, vocabularyOf } from '@muster/contract'
import type { MiddlewareHandler } from 'hono'
import type { LimitFunction } from 'p-limit'
import { queryParameter } from './address.ts'
import type { Authorize } from './authorize.ts'
import { type ApiEnv, type Deps, type Endpoint, takesSession } from './endpoint.ts'
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
  const route = path.replaceAll(/{(.+?)}/g, ':$1')
  const steps: readonly MiddlewareHandler<ApiEnv>[] = [
    admit(endpoint, authorize),
    throttle(throttles, endpoint.throttle),
    ...(body === undefined ? [] : [receiveBody(bodyBytes, largeBodies), chargeBody(throttles, endpoint.throttle)]),
    (c) => endpoint.handle(c),
  ]
  app.on(method.toUpperCase(), [route], ...steps)
  // For every method, because a POST without the header stays one that the address does not have.
  if (method === 'patch') app.on('ALL', [route], ...steps.map(whenOverridden))
}

/** Java's HTTP client knows no PATCH. It sends a POST, and the method that it means in a header. */
function whenOverridden(step: MiddlewareHandler<ApiEnv>): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const meant = c.req.header('x-http-method-override')?.trim() ?? ''
    return c.req.method === 'POST' && /^(?:patch|merge)$/i.test(meant) ? step(c, next) : next()
  }
}

function admit(endpoint: Endpoint, authorize: Authorize): MiddlewareHandler<ApiEnv> {
  const { method, path, permission, errorForm } = endpoint
  return async function admitRequest(c, next) {
    const apiVersion = queryParameter(c, 'api-version')
    c.set('route', path)
    c.get('span').rename(`${method.toUpperCase()} ${path}`)
    if (errorForm === 'nested' && apiVersion !== undefined && apiVersion >= '2018') c.set('errorForm', 'nested')
    const access = await authorize({
      authorization: c.req.header('authorization'),
      cookies: takesSession(endpoint) ? c.req.header('cookie') : undefined,
      path: c.req.path,
      permission,
    })
    c.set('account', access.account)
    c.set('access', access)
    c.set('vocabulary', vocabularyOf(apiVersion))
    await next()
  }
}
