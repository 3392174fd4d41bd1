import { HubError, limits } from '@muster/contract'
import type { ThrottleName, Throttles } from '@muster/runtime'
import type { MiddlewareHandler } from 'hono'
import type { ApiContext, ApiEnv } from './endpoint.ts'

/** A direct method counts once for each so many bytes of its request, as the incumbent meters it. */
const methodBytes = 4 * 1024

/** Refuses a request whose account has had its rate, before its body is read. @throws HubError ThrottlingException */
export function throttle(throttles: Throttles, name: ThrottleName): MiddlewareHandler<ApiEnv> {
  return async function throttleRequest(c, next) {
    const retryAfterMs = await throttles.take(name, c.get('account'), tokensOf(name, announcedBytes(c)))
    if (retryAfterMs !== null) {
      const message = `Too many ${name}: the rate of this account is used up; try again after Retry-After`
      throw new HubError('ThrottlingException', { message, retryAfterMs })
    }
    await next()
  }
}

/** Charges what a body has beyond what was announced of it: all of one that comes in chunks. */
export function chargeBody(throttles: Throttles, name: ThrottleName): MiddlewareHandler<ApiEnv> {
  return async function chargeRequest(c, next) {
    const unannounced = tokensOf(name, c.get('body').byteLength) - tokensOf(name, announcedBytes(c))
    await throttles.charge(name, c.get('account'), unannounced)
    await next()
  }
}

function tokensOf(name: ThrottleName, bytes: number): number {
  return name === 'directMethods' ? Math.max(1, Math.ceil(bytes / methodBytes)) : 1
}

/** What is above is refused unread: a length that nobody sends must not be owed by all who share the account. */
function announcedBytes(c: ApiContext): number {
  return Math.min(Number(c.req.header('content-length') ?? 0), limits.requestBodyBytes)
}
