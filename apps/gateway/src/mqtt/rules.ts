import { setTimeout as sleep } from 'node:timers/promises'
import { clip, toError } from '@muster/contract'
import { cachePolicies } from '@muster/store'
import type { AedesOptions, Client, PublishPacket } from 'aedes'
import { type ConnectRequest, createAuthentication } from '../admission/authenticate.ts'
import { shownCertificate } from '../admission/certificate.ts'
import { type RefusalReason, returnCodeOf } from '../admission/refusal.ts'
import { type Gateway, isOverloaded, patienceMs } from '../gateway.ts'
import { createLine } from '../line.ts'
import type { Session } from '../sessions/session.ts'
import type { Awaited, Sessions } from '../sessions/sessions.ts'
import type { Subscriptions } from '../sessions/subscriptions.ts'
import { filterOf } from '../topics/filter-alias.ts'
import { receive, receiveWill } from './receive.ts'

/** The longest wait for a whole CONNECT, and then the longest wait for the answer to it. */
export const connectMsMax = patienceMs

type Rules = Required<Pick<AedesOptions, 'authenticate' | 'authorizePublish' | 'authorizeSubscribe'>>

/** The rules for devices, in the hooks of aedes. */
export function createRules(
  gateway: Gateway,
  {
    sessions,
    subscriptions,
    isStopping,
  }: { sessions: Sessions; subscriptions: Subscriptions; isStopping: () => boolean },
): Rules {
  const authenticate = createAuthentication(gateway, cachePolicies(gateway))
  const connects = createLine()

  const admit = async (client: Client, request: ConnectRequest, isAwaited: Awaited): Promise<RefusalReason | null> => {
    const verdict = await authenticate(request, isAwaited)
    if (verdict.kind === 'refused') return verdict.reason
    // After authentication: a client that cannot prove who it is must not use up the places of others.
    if ((await gateway.throttles.take('newConnections', 'devices')) !== null) return 'throttled'
    return sessions.open(client, verdict, isAwaited)
  }

  const admitInTime = async (client: Client, request: ConnectRequest): Promise<RefusalReason | null> => {
    if (isStopping()) return 'stopping'
    if (isOverloaded(connects) || isOverloaded(gateway.statements)) return 'busy'
    const decided = new AbortController()
    const isAwaited = () => !client.closed && !decided.signal.aborted
    const timeout = sleep(connectMsMax, 'timeout' as const, { ref: false, signal: decided.signal })
    timeout.catch(() => {})
    try {
      return await Promise.race([connects.through(() => admit(client, request, isAwaited)), timeout])
    } catch (error) {
      gateway.events.gatewayFailed({ step: 'connect', error })
      return 'failed'
    } finally {
      // A timer that still runs would keep the client in memory for ten more seconds.
      decided.abort()
    }
  }

  /** Why the connection must end, if it must. Never throws: aedes would throw the error on, and it would end the process. */
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
      const certificate = shownCertificate(client)
      const request = { clientId: client.id, userName, password: password?.toString() ?? '', certificate }
      void admitInTime(client, request).then((reason) => {
        if (reason === null) return done(null, true)
        gateway.events.connectionRefused({ reason, clientId: clip(client.id) })
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
      subscriptions.subscribe(session, { ...subscription, topic: filterOf(subscription.topic) }).then(
        (isGranted) => done(null, isGranted ? { ...subscription, topic: granted } : null),
        (error: unknown) => {
          gateway.events.gatewayFailed({ step: 'subscribe', error })
          done(toError(error))
        },
      )
    },
  }
}

/**
 * The one topic under which aedes keeps all granted filters of a client. aedes routes nothing by it. Under the aliases aedes would keep
 * each filter until the end of the connection, because an UNSUBSCRIBE names the filter and not the alias.
 */
const granted = 'granted'

const noSession = new Error('the client has not connected')
