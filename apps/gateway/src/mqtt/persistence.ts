import { Readable } from 'node:stream'
import type { Client, Subscription } from 'aedes'

/**
 * What aedes asks of a store. Subscriptions are the session's and live in Postgres; nothing else is kept, because the hub
 * sends everything at QoS 0 and retains nothing.
 */
export function createPersistence(sessions: {
  /** Subscriptions that whoever connects gets back. */
  restored: (identity: string) => Subscription[]
  unsubscribe: (client: Client, topics: readonly string[]) => Promise<void>
}) {
  const nothing = async () => {}
  const empty = () => Readable.from([])
  const missing = async () => Promise.reject(new Error('no such packet'))
  return {
    // aedes insists that this one is declared async.
    setup: async () => {},
    subscriptionsByClient: async ({ id }: { id: string }) => sessions.restored(id),
    // Already stored, when the subscription was authorized: aedes would pass refused filters too.
    addSubscriptions: nothing,
    removeSubscriptions: sessions.unsubscribe,
    cleanSubscriptions: nothing,
    subscriptionsByTopic: async () => [],

    outgoingEnqueueCombi: nothing,
    outgoingUpdate: nothing,
    outgoingClearMessageId: nothing,
    outgoingStream: empty,
    incomingGetPacket: missing,
    incomingDelPacket: missing,
    cleanIncoming: nothing,

    storeRetained: nothing,
    createRetainedStreamCombi: empty,
    putWill: nothing,
    delWill: nothing,
    streamWill: empty,
  }
}

type Done = (() => void) | undefined

/** Routes nothing: what one device publishes can reach no other. aedes' own would also search through all subscribers at each end. */
export const noRouting = {
  on: (_topic: string, _deliver: unknown, done: Done) => done?.(),
  removeListener: (_topic: string, _deliver: unknown, done: Done) => done?.(),
  emit: (_packet: unknown, done: Done) => done?.(),
  close: (done: Done) => done?.(),
}
