import { createHmac } from 'node:crypto'
import { clip, HubError } from '@muster/contract'

/** How callers name the events of this hub. */
export interface EventIds {
  of(no: number): string
  /** The number in an id. @throws HubError ArgumentInvalid for the id of another hub, and for a text that is none */
  parse(eventId: string): number
}

/** `secret`: the same one in every process of a hub, and another one in every hub. */
export function createEventIds(secret: string): EventIds {
  const hub = createHmac('sha256', secret).update('event ids').digest('hex').slice(0, 8)
  const form = new RegExp(`^${hub}-([1-9]\\d{0,15})$`)
  return {
    of: (no) => `${hub}-${no}`,
    parse(eventId) {
      const [, no] = form.exec(eventId) ?? []
      if (no !== undefined) return Number(no)
      throw new HubError('ArgumentInvalid', {
        message: `Last-Event-ID "${clip(eventId, 40)}" is not the id of an event of this hub; expected an eventId such as ${hub}-1, or no Last-Event-ID`,
      })
    },
  }
}
