import type { Json } from '@muster/contract'
import type { CallOptions, Exchange } from './exchange.ts'
import { listOf, type PageOptions, type Pages } from './pages.ts'
import { type IfMatch, quoted } from './registry.ts'
import type { Twin } from './registry-wire.ts'
import type { MethodAnswer, MethodCall, TwinPatch } from './wire.ts'

/** A device, or a module of it. */
export type Identity = string | { readonly deviceId: string; readonly moduleId?: string | undefined }

export interface Twins {
  /** @throws MusterError DeviceNotFound, ModuleNotFound, PreconditionFailed when it has another etag, as the others below */
  get(identity: Identity, options?: CallOptions): Promise<Twin>
  /** Merges a patch; a member that is null is removed. */
  update(identity: Identity, patch: TwinPatch, options?: IfMatch): Promise<Twin>
  /** A section that is left out is cleared. */
  replace(identity: Identity, twin: TwinPatch, options?: IfMatch): Promise<Twin>
}

export interface Methods {
  /** Calls a direct method and waits for the answer. @throws MusterError DeviceNotOnline, GatewayTimeout and others */
  invoke(identity: Identity, call: MethodCall, options?: CallOptions): Promise<MethodAnswer>
}

export type Query = <Row = { readonly [member: string]: Json }>(text: string, options?: PageOptions) => Pages<Row>

export function createTwins(exchange: Exchange): Twins {
  return {
    get: (identity, options) => exchange.read({ method: 'GET', path: pathOf(identity), isSafe: true, ...options }),
    update: (identity, patch, { etag, ...options } = {}) =>
      exchange.read({
        method: 'PATCH',
        path: pathOf(identity),
        headers: { 'if-match': quoted(etag) },
        body: patch,
        isSafe: false,
        ...options,
      }),
    replace: (identity, twin, { etag, ...options } = {}) =>
      exchange.read({
        method: 'PUT',
        path: pathOf(identity),
        headers: { 'if-match': quoted(etag) },
        body: twin,
        isSafe: false,
        ...options,
      }),
  }
}

/** An answer may be on its way for so long after the device has given it. */
const answerMs = 10_000

export function createMethods(exchange: Exchange): Methods {
  return {
    invoke: (identity, call, options) => {
      const { responseTimeoutInSeconds = 30, connectTimeoutInSeconds = 0 } = call
      return exchange.read({
        method: 'POST',
        path: `${pathOf(identity)}/methods`,
        body: { ...call, payload: call.payload ?? null },
        timeoutMs: (responseTimeoutInSeconds + connectTimeoutInSeconds) * 1000 + answerMs,
        isSafe: false,
        ...options,
      })
    },
  }
}

export function createQuery(exchange: Exchange): Query {
  return (text, options) =>
    listOf(exchange, { method: 'POST', path: '/devices/query', body: { query: text }, isSafe: true }, options)
}

function pathOf(identity: Identity): string {
  const { deviceId, moduleId } = typeof identity === 'string' ? { deviceId: identity } : identity
  const device = `/twins/${encodeURIComponent(deviceId)}`
  return moduleId === undefined ? device : `${device}/modules/${encodeURIComponent(moduleId)}`
}
