import { randomUUID } from 'node:crypto'
import { trackingIdOf } from '@muster/contract'
import type { MiddlewareHandler } from 'hono'
import { type ApiEnv, callerOf, type Deps } from './endpoint.ts'

/** Gives every request its ids and its span, and reports it when it has been served. */
export function observe({
  events,
  clock,
  tracing,
}: Pick<Deps, 'events' | 'clock' | 'tracing'>): MiddlewareHandler<ApiEnv> {
  return async function observeRequest(c, next) {
    const startedMs = performance.now()
    const { method } = c.req
    const parent = c.req.header('traceparent') ?? null
    const span = tracing.begin(method, { kind: 'server', parent, attributes: { 'http.request.method': method } })
    const requestId = span.traceId === undefined ? randomUUID() : asUuid(span.traceId)
    const trackingId = trackingIdOf(requestId, clock.now())
    c.set('trackingId', trackingId)
    c.set('span', span)
    c.set('errorForm', 'envelope')
    c.set('route', 'none')
    c.set('isOfDevice', false)
    await next()
    c.res.headers.set('x-ms-request-id', requestId)
    const { status } = c.res
    const route = c.get('route')
    span.note({ 'http.response.status_code': status, 'http.route': route })
    // A span without an end is not sent: nobody without a token fills the store of traces.
    if (callerOf(c).account !== null) span.end(status >= 500 ? String(status) : undefined)
    const seconds = (performance.now() - startedMs) / 1000
    events.requestServed({ method, route, status, isOfDevice: c.get('isOfDevice'), seconds, trackingId })
  }
}

/** Who has the tracking id of an answer finds its trace: both have the same 32 digits. */
function asUuid(traceId: string): string {
  return traceId.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
