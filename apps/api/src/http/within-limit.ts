import { HubError, limits } from '@muster/contract'

/**
 * Checks a part of a large body: the part may be as large as a request of its own, and no larger.
 * @throws HubError MessageTooLarge
 */
export function withinLimit(name: string, part: unknown): unknown {
  const bytes = Buffer.byteLength(JSON.stringify(part) ?? '')
  if (bytes <= limits.requestBodyBytes) return part
  throw new HubError('MessageTooLarge', {
    message: `${name} takes ${bytes} bytes of JSON; at most ${limits.requestBodyBytes} are allowed`,
  })
}
