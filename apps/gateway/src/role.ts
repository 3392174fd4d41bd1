import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:tls'
import { gatewayId } from '@muster/contract'
import { type Hub, listen, orAborted, type Role, type RunningRole } from '@muster/runtime'
import { removeGateway } from '@muster/store'
import { createStatements, type Gateway } from './gateway.ts'
import { type Broker, createBroker } from './mqtt/broker.ts'
import { acceptWebSockets, webSocketPath } from './mqtt/web-sockets.ts'
import { startHeartbeat } from './sessions/heartbeat.ts'
import { createSessions, type Sessions } from './sessions/sessions.ts'
import { createCalls } from './traffic/calls.ts'
import { createNotifications, type Notifications } from './traffic/notifications.ts'

/** After this time the hub finds a connection whose end or takeover it missed. */
const confirmEveryMs = 30_000
const handshakeMsMax = 10_000
/** Time to stop what had started, when the port cannot be opened. */
const failedStopMs = 2_000

/** Holds the connections of devices. Any number of gateways share a fleet; a device is on one of them. */
export const role: Role = {
  name: 'gateway',
  async start(hub) {
    const gateway = openGateway(hub)
    const { bus, clock, config, db, events, gatewayId, metrics, tracing } = gateway
    const notifications: Notifications = createNotifications(gateway, (identity) => sessions.find(identity))
    const sessions: Sessions = createSessions(gateway, (session, { desiredVersion }) => {
      notifications.atVersion(session, desiredVersion)
    })
    const heartbeat = await startHeartbeat(gateway, { connections: sessions.count, onReturn: sessions.confirm })
    const calls = createCalls({ events, metrics, clock, tracing, find: sessions.find })
    const door = await bus.serveGateway(gatewayId, {
      ...calls,
      pushDesired: notifications.push,
      closeConnection: sessions.close,
    })
    const broker = await createBroker(gateway, sessions)
    const confirmation = setInterval(() => sessions.confirm(), confirmEveryMs)
    hub.front.upgrade(webSocketPath, acceptWebSockets(broker.accept))
    const server = createTlsServer(hub, broker)

    const running = {
      async drain(deadline: AbortSignal) {
        broker.refuse()
        server.close()
        await orAborted(calls.drain(), deadline)
      },
      async stop(deadline: AbortSignal) {
        broker.refuse()
        server.close()
        clearInterval(confirmation)
        // Not waited for, because Redis may be away. From here on no call comes in anyway.
        door[Symbol.asyncDispose]().then(undefined, (error) => events.gatewayFailed({ step: 'closeDoor', error }))
        await orAborted(sessions.shutDown(), deadline)
        await broker.close()
        await sessions.records.stop(deadline)
        await orAborted(heartbeat.stop(), deadline)
        // As well as it goes. Without Postgres the sweep for dead gateways does it later.
        const leaving = removeGateway(db, gatewayId, clock.now()).then(
          () => {},
          (error: unknown) => events.gatewayFailed({ step: 'leave', error }),
        )
        await orAborted(leaving, deadline)
      },
      async check() {
        heartbeat.check()
        if (!server.listening) throw new Error('the MQTTS port is closed')
      },
    } satisfies RunningRole
    try {
      const port = await listen(server, {
        name: 'MUSTER_MQTTS_PORT',
        port: config.mqttsPort,
        host: { name: 'MUSTER_BIND', address: config.bind },
      })
      return { ...running, port }
    } catch (error) {
      await running.stop(AbortSignal.timeout(failedStopMs))
      throw error
    }
  },
}

function openGateway(hub: Hub): Gateway {
  const { config, db, bus, events, metrics, clock, throttles, tracing } = hub
  // Half of the pool: the other roles of the process need it too.
  const statements = createStatements(Math.ceil(config.poolSize / 2))
  return { config, db, bus, events, metrics, clock, throttles, tracing, gatewayId: gatewayId(randomUUID()), statements }
}

function createTlsServer({ front, events }: Hub, broker: Broker): Server {
  // A client may show a certificate, and need not. Who signed it is not checked.
  const server = createServer({ requestCert: true, rejectUnauthorized: false, handshakeTimeout: handshakeMsMax })
  front.tls.present(server)
  server.on('secureConnection', (socket) => broker.accept(socket.setNoDelay()))
  // A handshake that failed, such as that of a port scanner, or took too long. Node itself does not close the connection.
  server.on('tlsClientError', (_error, socket) => void socket.destroy())
  // A connection could not be accepted, for example because the process has too many open files. The next one may succeed.
  server.on('error', (error) => {
    if (server.listening) events.gatewayFailed({ step: 'accept', error })
  })
  return server
}
