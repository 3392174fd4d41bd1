import { toError } from '@muster/contract'
import type { Connections } from './connection.ts'

/** Redis publish and subscribe: at most once, to whoever listens now. */
export interface Channels {
  /** How many processes received it; 0 means that nobody listens. */
  publish(channel: string, message: string): Promise<number>
  /** Resolves with a function that ends it. Several of one process may share a channel. */
  subscribe(channel: string, receive: (message: string) => void): Promise<() => Promise<void>>
  /** Which of these channels nobody listens to. */
  findDeserted(channels: readonly string[]): Promise<readonly string[]>
  /** Calls back when this process listens again after a loss of Redis. Messages of the time between are lost. */
  onReturn(listener: () => void): void
}

export function createChannels(
  { commands, patient }: Connections,
  { prefix, onError }: { prefix: string; onError: (error: Error) => void },
): Channels & { close(): void } {
  const subscriber = patient.duplicate()
  subscriber.on('error', onError)
  const receivers = new Map<string, Set<(message: string) => void>>()
  subscriber.on('message', (channel: string, message: string) => {
    for (const receive of receivers.get(channel) ?? []) {
      try {
        receive(message)
      } catch (error) {
        // One message that cannot be handled must not end the process.
        onError(toError(error))
      }
    }
  })
  const named = (channel: string) => `${prefix}:${channel}`
  return {
    publish: (channel, message) => commands.publish(named(channel), message),
    async subscribe(name, receive) {
      const channel = named(name)
      const sharing = receivers.get(channel) ?? new Set()
      receivers.set(channel, sharing.add(receive))
      await subscriber.subscribe(channel)
      return async () => {
        sharing.delete(receive)
        if (sharing.size > 0 || !receivers.delete(channel)) return
        await subscriber.unsubscribe(channel)
      }
    },
    async findDeserted(channels) {
      const counted = await commands.pubsub('NUMSUB', ...channels.map(named))
      // Name and number in turn, in the order of the question.
      return channels.filter((_, index) => Number(counted[2 * index + 1]) === 0)
    },
    onReturn: (listener) => void subscriber.on('ready', listener),
    close: () => subscriber.disconnect(),
  }
}
