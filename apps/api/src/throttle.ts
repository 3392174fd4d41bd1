import { HubError, limits } from '@muster/contract'
import type { ThrottleName, Throttles } from '@muster/runtime'
import type { MiddlewareHandler } from 'hono'
import type { ApiEnv } from './endpoint.ts'

/** A direct method counts once for each so many bytes of its request, as the incumbent meters it. */
const methodBytes = 4 * 1024

/** Refuses a request whose account has had its rate, before its body is read. @throws HubError ThrottlingException */
export function throttle(throttles: Throttles, name: ThrottleName): MiddlewareHandler<ApiEnv> {
  return async function throttleRequest(c, next) {
    const announced = name === 'directMethods' ? Number(c.req.header('content-length') ?? 0) : 0
    // What is above is refused unread: a length that nobody sends must not be owed by all who share the account.
    const bytes = Math.min(announced, limits.requestBodyBytes)
    const retryAfterMs = await throttles.take(name, c.get('account'), Math.max(1, Math.ceil(bytes / methodBytes)))
    if (retryAfterMs !== null) {
      const message = `Too many ${name}: the rate of this account is used up; try again after Retry-After`
      throw new HubError('ThrottlingException', { message, retryAfterMs })
    }
    await next()
  }
}
