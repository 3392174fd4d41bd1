import type { EventIds } from '@muster/contract'
import type { Events } from '@muster/runtime'
import { type Db, readJobEvents } from '@muster/store'
import pLimit from 'p-limit'
import type { Audience } from './audience.ts'
import type { EventFollower } from './event-follower.ts'
import { type Listener, note } from './listener.ts'
import { eventMessage } from './messages.ts'

/** Gives listeners what was before they came. */
export interface CatchUp {
  /** Does nothing for a listener that has begun, or before it is known where the others are. */
  begin(listener: Listener, follower: EventFollower): void
}

const pageSize = 500
/** Pages are read for so many listeners at a time, because the connections are for the requests. */
const readersMax = 2

export function createCatchUp(
  { db, events, eventIds }: { readonly db: Db; readonly events: Events; readonly eventIds: EventIds },
  audience: Audience,
): CatchUp {
  const begun = new WeakSet<Listener>()
  const readers = pLimit(readersMax)

  const readNext = async (listener: Listener, after: number, upTo: number) => {
    const page = await readers(() => readJobEvents(db, { jobKey: listener.jobKey, after, upTo, limit: pageSize }))
    for (const event of page) {
      audience.send(listener, eventMessage(event, eventIds))
      note(listener, event)
    }
    if (page.length < pageSize) listener.after = upTo
    events.jobEventsTold({ count: page.length })
    // A page at a time: who lags here is not dropped.
    await listener.stream.taken()
  }

  /** When nothing is left to read, nothing waits between that and the mark that the listener hears what comes. */
  const catchUp = async (listener: Listener, follower: EventFollower) => {
    while (audience.has(listener)) {
      const told = follower.told() ?? 0
      if (listener.after >= told) {
        listener.isLive = true
        return
      }
      await readNext(listener, listener.after, told)
    }
  }

  return {
    begin(listener, follower) {
      if (begun.has(listener) || follower.told() === null) return
      begun.add(listener)
      catchUp(listener, follower).catch((error: unknown) => {
        events.jobFeedFailed({ error })
        audience.end(listener, 'failed')
      })
    },
  }
}
