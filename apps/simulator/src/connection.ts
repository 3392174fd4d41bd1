import { isIP } from 'node:net'
import { connect, type SecureContext } from 'node:tls'
import { signSasToken } from '@muster/auth'
import { ErrorWithReasonCode, MqttClient } from 'mqtt'
import { messageOf } from './failure.ts'
import { filters } from './topics.ts'

/** The address of a hub for devices, and its name. */
export interface HubEndpoint {
  /** The name in user name and token. */
  readonly hostName: string
  /** The name to connect to. The certificate must be for it. */
  readonly gatewayHost: string
  readonly mqttsPort: number
  readonly trust: SecureContext
}

export interface Connection {
  /** Resolves when the connection is gone, whoever ended it. */
  readonly closed: Promise<void>
}

export interface ConnectionOptions {
  readonly deviceId: string
  /** Base64. */
  readonly key: string
  /** Does not subscribe again when the hub still has the session, as the SDKs after a renewed token. */
  readonly isResuming: boolean
  readonly onMessage: (client: MqttClient, topic: string, payload: Buffer) => void
  /** Ends the connection with a DISCONNECT. */
  readonly signal: AbortSignal
}

/**
 * Connects one device and subscribes it, as the Azure device SDK does: MQTT 3.1.1, a persistent session, and a token of one hour. To
 * renew the token, it connects again before the token ends. Rejects with the cause when that fails.
 */
export function openConnection(hub: HubEndpoint, options: ConnectionOptions): Promise<Connection> {
  const { deviceId, signal } = options
  const client = createClient(hub, options)
  const stop = () => end(client)
  const renewal = setTimeout(stop, renewAfterMs())
  signal.addEventListener('abort', stop, { once: true })
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve())).then(() => {
    clearTimeout(renewal)
    signal.removeEventListener('abort', stop)
  })
  return new Promise((resolve, reject) => {
    let cause: Error | undefined
    client.on('error', (error) => {
      cause ??= error
    })
    client.on('message', (topic, payload) => options.onMessage(client, topic, payload))
    client.once('connect', ({ sessionPresent }) => {
      if (options.isResuming && sessionPresent) return resolve({ closed })
      client.subscribe([...filters], { qos: 0 }, (error) => {
        if (error === null) return resolve({ closed })
        cause ??= error
        end(client)
      })
    })
    void closed.then(() => {
      const reason = cause === undefined ? 'the hub closed the connection' : messageOf(cause)
      reject(new Error(`${deviceId} could not connect: ${reason}`, { cause }))
    })
  })
}

/** True when the hub has refused the device and another try will not help. */
export function isRefusal(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined
  // Return codes of CONNACK: protocol, client id, user name, authorization. 3 means "not now".
  return cause instanceof ErrorWithReasonCode && [1, 2, 4, 5].includes(cause.code)
}

const tokenLifetimeMs = 3_600_000
const disconnectTimeoutMs = 2_000

function createClient(hub: HubEndpoint, { deviceId, key }: ConnectionOptions): MqttClient {
  const host = hub.gatewayHost
  const stream = () =>
    connect({
      host,
      port: hub.mqttsPort,
      // Shared, because to parse the certificates for every device costs more than the rest of the handshake.
      secureContext: hub.trust,
      ...(isIP(host) === 0 ? { servername: host } : {}),
    })
  return new MqttClient(stream, {
    protocolVersion: 4,
    clientId: deviceId,
    username: `${hub.hostName}/${deviceId}/?api-version=2021-04-12&DeviceClientType=muster-simulator`,
    password: signSasToken({
      resource: `${hub.hostName}/devices/${deviceId}`,
      key,
      expiresAt: new Date(Date.now() + tokenLifetimeMs),
    }),
    clean: false,
    keepalive: 180,
    reconnectPeriod: 0,
    queueQoSZero: false,
  })
}

/** Between 35 and 45 minutes: devices that connected at the same time must not renew at the same time. */
function renewAfterMs(): number {
  return 2_100_000 + Math.random() * 600_000
}

function end(client: MqttClient): void {
  if (!client.connected) {
    client.stream.destroy()
    return
  }
  client.end()
  const timer = setTimeout(() => client.stream.destroy(), disconnectTimeoutMs)
  client.once('close', () => clearTimeout(timer))
}
