import { HubError, limits } from '@muster/contract'
import type { ThrottleName, Throttles } from '@muster/runtime'
import type { MiddlewareHandler } from 'hono'
import type { ApiContext, ApiEnv } from './endpoint.ts'

/** A direct method counts once for so many bytes of its request, as in Azure IoT Hub. */
const methodBytes = 4 * 1024

/** Refuses a request before its body is read, if its account has used up its rate. @throws HubError ThrottlingException */
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

/** Charges the bytes of a body that its headers did not announce: all bytes of a chunked body. */
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

/** Bounded, because a larger body is refused unread: all who share the account would owe for bytes that nobody sends. */
function announcedBytes(c: ApiContext): number {
  return Math.min(Number(c.req.header('content-length') ?? 0), limits.requestBodyBytes)
}
