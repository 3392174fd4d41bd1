import { clip } from '../clip.ts'
import { HubError } from '../errors.ts'

/** How callers name the events of this hub. */
export interface EventIds {
  /** 0: before the first event. */
  of(no: number): string
  /** The number in an id. `member`: where it stands. @throws HubError ArgumentInvalid for the id of another hub, and for a text that is none */
  parse(member: string, eventId: string): number
}

/** `hubId`: of this hub alone, and the same for ever, because who has got an event may get it again under its id. */
export function createEventIds(hubId: string): EventIds {
  const form = new RegExp(`^${hubId}-(0|[1-9]\\d{0,15})$`)
  return {
    of: (no) => `${hubId}-${no}`,
    parse(member, eventId) {
      const [, no] = form.exec(eventId) ?? []
      if (no !== undefined) return Number(no)
      throw new HubError('ArgumentInvalid', {
        message: `${member} must be the eventId of an event of this hub, such as ${hubId}-1, got "${clip(eventId, 40)}"`,
      })
    },
  }
}
