import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { EndReason } from '@muster/runtime'
import { Aedes, type Client } from 'aedes'
import type { Gateway } from '../gateway.ts'
import type { Sessions } from '../sessions/sessions.ts'
import { createSubscriptions } from '../sessions/subscriptions.ts'
import { countBytes } from './byte-count.ts'
import { watchPackets } from './packets.ts'
import { createPersistence, noRouting } from './persistence.ts'
import { connectMsMax, createRules } from './rules.ts'

/** Speaks MQTT with devices. */
export interface Broker {
  /** A connection over TLS, or one carried by a WebSocket. */
  accept(stream: Duplex, request?: IncomingMessage): void
  /** Refuses new clients from now on. */
  refuse(): void
  /** Cuts every connection, also those that are only connecting. */
  close(): Promise<void>
}

export async function createBroker(gateway: Gateway, sessions: Sessions): Promise<Broker> {
  const { events } = gateway
  const open = new Set<Duplex>()
  const countBytesOf = countBytes(gateway.metrics)
  let isStopping = false
  const subscriptions = createSubscriptions(gateway, sessions.records)
  const unsubscribe = async (client: Client, topics: readonly string[]) => {
    const session = sessions.of(client)
    if (session !== undefined) await subscriptions.unsubscribe(session, topics)
  }
  const aedes = await Aedes.createBroker({
    ...createRules(gateway, { sessions, subscriptions, isStopping: () => isStopping }),
    connectTimeout: connectMsMax,
    mq: noRouting,
    persistence: createPersistence({ restored: sessions.subscriptionsOf, unsubscribe }),
  })
  // aedes allows a hundred levels at most, for its matcher of topics, which is not used here. A topic may have one for each byte.
  Object.assign(aedes, { maxTopicLevels: Number.POSITIVE_INFINITY })

  const note = (client: Client, reason: EndReason) => {
    const session = sessions.of(client)
    if (session !== undefined) session.endReason ??= reason
  }
  // Not 'clientReady', which comes after the first packets that follow the CONNACK.
  aedes.on('connackSent', (_, client) => sessions.ready(client))
  aedes.on('connectionError', () => events.connectionRefused({ reason: 'protocol', clientId: null }))
  aedes.on('keepaliveTimeout', (client) => note(client, 'keepAlive'))
  // An error of the socket has a code. An error without a code means that the device broke the protocol.
  aedes.on('clientError', (client, error) => note(client, 'code' in error ? 'lost' : 'protocol'))
  aedes.on('unsubscribe', (topics, client) => {
    // A persistent session was handled before its UNSUBACK. A clean session is also unsubscribed by aedes at its end.
    if (!client.clean || client.closed) return
    unsubscribe(client, topics).catch((error: unknown) => events.gatewayFailed({ step: 'unsubscribe', error }))
  })

  return {
    accept(stream, request) {
      if (isStopping) return void stream.destroy()
      open.add(stream)
      countBytesOf(request?.socket ?? stream)
      stream.once('close', () => open.delete(stream))
      const client = aedes.handle(stream, request)
      watchPackets(client, {
        tooLarge() {
          note(client, 'protocol')
          stream.destroy()
        },
        malformed: () => note(client, 'protocol'),
        disconnect: () => note(client, 'disconnect'),
      })
    },
    refuse() {
      isStopping = true
    },
    async close() {
      await new Promise<void>((resolve) => aedes.close(resolve))
      for (const stream of open) stream.destroy()
    },
  }
}
