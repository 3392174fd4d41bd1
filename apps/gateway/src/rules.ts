import { setTimeout as sleep } from 'node:timers/promises'
import type { AedesOptions, Client } from 'aedes'
import { authenticate, type ConnectRequest } from './authenticate.ts'
import { type Gateway, isOverloaded } from './gateway.ts'
import { cachePolicies } from './policy-cache.ts'
import { receive, receiveWill } from './receive.ts'
import { type RefusalReason, returnCodeOf } from './refusal.ts'
import type { Sessions } from './sessions.ts'
import type { Subscriptions } from './subscriptions.ts'

/** How long a device waits for a place, the first time for its bytes and then for the answer to its CONNECT. */
export const connectMsMax = 10_000

type Rules = Required<Pick<AedesOptions, 'authenticate' | 'authorizePublish' | 'authorizeSubscribe'>>

/** What devices may do, in the hooks that aedes has for it. */
export function createRules(
  gateway: Gateway,
  {
    sessions,
    subscriptions,
    isStopping,
  }: { sessions: Sessions; subscriptions: Subscriptions; isStopping: () => boolean },
): Rules {
  const readPolicies = cachePolicies(gateway)

  const admit = async (client: Client, request: ConnectRequest): Promise<RefusalReason | null> => {
    if (isStopping()) return 'stopping'
    if (isOverloaded(gateway)) return 'busy'
    const verdict = await authenticate(gateway, readPolicies, request)
    return verdict.kind === 'refused' ? verdict.reason : sessions.open(client, verdict)
  }

  const admitInTime = async (client: Client, request: ConnectRequest): Promise<RefusalReason | null> => {
    const timeout = sleep(connectMsMax, 'timeout' as const, { ref: false })
    try {
      return await Promise.race([admit(client, request), timeout])
    } catch (error) {
      gateway.events.gatewayFailed({ step: 'connect', error })
      return 'failed'
    }
  }

  return {
    authenticate(client, userName = '', password, done) {
      const request = { clientId: client.id, userName, password: password?.toString() ?? '' }
      void admitInTime(client, request).then((reason) => {
        if (reason === null) return done(null, true)
        gateway.events.connectionRefused({ reason })
        done(Object.assign(new Error(`refused: ${reason}`), { returnCode: returnCodeOf(reason) }), null)
      })
    },

    // The only hook that comes before a PUBACK.
    authorizePublish(client, packet, done) {
      const session = client === null ? undefined : sessions.of(client)
      if (session === undefined) return done(noSession)
      if (session.client.closed) {
        receiveWill(gateway, session, packet)
        return done(new Error('a will is not forwarded'))
      }
      done(receive(gateway, session, packet) ? null : new Error(`not to be published: ${packet.topic}`))
    },

    authorizeSubscribe(client, subscription, done) {
      const session = sessions.of(client)
      if (session === undefined) return done(noSession)
      subscriptions.subscribe(session, subscription).then(
        (isGranted) => done(null, isGranted ? subscription : null),
        (error: unknown) => {
          gateway.events.gatewayFailed({ step: 'subscribe', error })
          done(error instanceof Error ? error : new Error(String(error)))
        },
      )
    },
  }
}

const noSession = new Error('the client has not connected')
