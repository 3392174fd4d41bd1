import { randomUUID } from 'node:crypto'
import { trackingIdOf } from '@muster/contract'
import type { MiddlewareHandler } from 'hono'
import type { ApiEnv, Deps } from './endpoint.ts'

/** Gives every request its ids, and reports it when it has been served. */
export function observe({ events, clock }: Pick<Deps, 'events' | 'clock'>): MiddlewareHandler<ApiEnv> {
  return async function observeRequest(c, next) {
    const startedMs = performance.now()
    const requestId = randomUUID()
    const trackingId = trackingIdOf(requestId, clock.now())
    c.set('trackingId', trackingId)
    c.set('errorForm', 'envelope')
    c.set('route', 'none')
    await next()
    c.res.headers.set('x-ms-request-id', requestId)
    const seconds = (performance.now() - startedMs) / 1000
    events.requestServed({ method: c.req.method, route: c.get('route'), status: c.res.status, seconds, trackingId })
  }
}
