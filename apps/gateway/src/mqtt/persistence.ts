import { Readable } from 'node:stream'
import type { Client, Subscription } from 'aedes'

/**
 * The store that aedes asks for. Subscriptions belong to the session and are in Postgres. Nothing else is kept, because the hub sends
 * everything at QoS 0 and retains nothing.
 */
export function createPersistence(sessions: {
  /** The subscriptions that a client gets back when it connects. */
  restored: (identity: string) => Subscription[]
  unsubscribe: (client: Client, topics: readonly string[]) => Promise<void>
}) {
  const nothing = async () => {}
  const empty = () => Readable.from([])
  const missing = async () => Promise.reject(new Error('no such packet'))
  return {
    // aedes requires that this function is declared async.
    setup: async () => {},
    subscriptionsByClient: async ({ id }: { id: string }) => sessions.restored(id),
    // Already stored when the subscription was authorized. aedes would also pass refused filters here.
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

/** Routes nothing: a message of one device can reach no other. aedes' own router would also search all subscribers at each end. */
export const noRouting = {
  on: (_topic: string, _deliver: unknown, done: Done) => done?.(),
  removeListener: (_topic: string, _deliver: unknown, done: Done) => done?.(),
  emit: (_packet: unknown, done: Done) => done?.(),
  close: (done: Done) => done?.(),
}
