import { HubError, limits } from '@muster/contract'

/**
 * A part of a body that is larger than other requests' are: it may hold what a request of its own could, and no more.
 * @throws HubError MessageTooLarge
 */
export function withinLimit(name: string, part: unknown): unknown {
  const bytes = Buffer.byteLength(JSON.stringify(part) ?? '')
  if (bytes <= limits.requestBodyBytes) return part
  throw new HubError('MessageTooLarge', {
    message: `${name} takes ${bytes} bytes of JSON; at most ${limits.requestBodyBytes} are allowed`,
  })
}
