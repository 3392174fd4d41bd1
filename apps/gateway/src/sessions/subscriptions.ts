import { limits } from '@muster/contract'
import { storeSubscriptions } from '@muster/store'
import type { Gateway } from '../gateway.ts'
import { parseFilter } from '../topics/topics.ts'
import type { Records } from './records.ts'
import { endSession, isSubscribed, type Session } from './session.ts'

/** The subscriptions of devices, kept with their sessions. */
export interface Subscriptions {
  /**
   * Returns when the subscription is committed. False: the filter is not in the contract, or is one too many. A filter that the device
   * already holds costs nothing, for example after its session was restored.
   */
  subscribe(session: Session, subscription: { topic: string; qos: number }): Promise<boolean>
  unsubscribe(session: Session, topics: readonly string[]): Promise<void>
}

export function createSubscriptions(
  { db, statements }: Gateway,
  { reachable }: Pick<Records<Session>, 'reachable'>,
): Subscriptions {
  /** In the order of the session, so that the last state of the device is stored last. Once for the filters of one packet. */
  const store = (session: Session): Promise<void> => {
    session.storing ??= session.inOrder(async () => {
      session.storing = null
      const acceptsMethods = isSubscribed(session, 'methods')
      // [MQTT-3.1.2-6] the subscriptions of a clean session end with it.
      const kept = session.client.clean ? [] : [...session.filters].map(([topic, { qos }]) => ({ topic, qos }))
      const isOurs = await statements(() => storeSubscriptions(db, session, kept, acceptsMethods))
      if (!isOurs) endSession(session, 'stale')
      else if (acceptsMethods) reachable.add(session.identity)
    })
    return session.storing
  }

  return {
    async subscribe(session, { topic, qos }) {
      const filter = parseFilter(topic, session.identity)
      if (filter === null) return false

      const held = session.filters.get(topic)
      const granted = qos === 0 ? 0 : 1
      if (held?.qos === granted) {
        // It may have come a moment ago and not be stored yet. A restored one is stored, and the CONNACK waits for this function.
        if (session.isReady) await session.inOrder(() => {})
        return true
      }
      if (held === undefined && session.filters.size >= limits.topicFilters) return false

      session.filters.set(topic, { filter, qos: granted })
      await store(session)
      return true
    },

    async unsubscribe(session, topics) {
      const removed = topics.filter((topic) => session.filters.delete(topic))
      if (removed.length > 0) await store(session)
    },
  }
}
