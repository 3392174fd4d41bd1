import { setTimeout as sleep } from 'node:timers/promises'
import type { AedesOptions, Client, PublishPacket } from 'aedes'
import { authenticate, type ConnectRequest } from './authenticate.ts'
import { type Gateway, isOverloaded } from './gateway.ts'
import { cachePolicies } from './policy-cache.ts'
import { receive, receiveWill } from './receive.ts'
import { type RefusalReason, returnCodeOf } from './refusal.ts'
import type { Session } from './session.ts'
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

  /** Why the connection must end, if it must. Never throws: aedes would pass it on, and it would end the process. */
  const take = (session: Session, packet: PublishPacket): Error | null => {
    try {
      if (!session.client.closed) {
        return receive(gateway, session, packet) ? null : new Error(`not to be published: ${packet.topic}`)
      }
      receiveWill(gateway, session, packet)
      return new Error('a will is not forwarded')
    } catch (error) {
      gateway.events.gatewayFailed({ step: 'publish', error })
      return toError(error)
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
      done(take(session, packet))
    },

    authorizeSubscribe(client, subscription, done) {
      const session = sessions.of(client)
      if (session === undefined) return done(noSession)
      subscriptions.subscribe(session, subscription).then(
        (isGranted) => done(null, isGranted ? subscription : null),
        (error: unknown) => {
          gateway.events.gatewayFailed({ step: 'subscribe', error })
          done(toError(error))
        },
      )
    },
  }
}

const noSession = new Error('the client has not connected')

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
