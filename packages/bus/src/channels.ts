import { toError } from '@muster/contract'
import type { Connections } from './connection.ts'

/** Redis publish and subscribe: at most once, to whoever listens now. */
export interface Channels {
  /** How many processes received it; 0 means that nobody listens. */
  publish(channel: string, message: string): Promise<number>
  subscribe(channel: string, receive: (message: string) => void): Promise<void>
  unsubscribe(channel: string): Promise<void>
}

export function createChannels(
  { commands, patient }: Connections,
  { prefix, onError }: { prefix: string; onError: (error: Error) => void },
): Channels & { close(): void } {
  const subscriber = patient.duplicate()
  subscriber.on('error', onError)
  const receivers = new Map<string, (message: string) => void>()
  subscriber.on('message', (channel: string, message: string) => {
    try {
      receivers.get(channel)?.(message)
    } catch (error) {
      // One message that cannot be handled must not end the process.
      onError(toError(error))
    }
  })
  const named = (channel: string) => `${prefix}:${channel}`
  return {
    publish: (channel, message) => commands.publish(named(channel), message),
    async subscribe(channel, receive) {
      receivers.set(named(channel), receive)
      await subscriber.subscribe(named(channel))
    },
    async unsubscribe(channel) {
      receivers.delete(named(channel))
      await subscriber.unsubscribe(named(channel))
    },
    close: () => subscriber.disconnect(),
  }
}
