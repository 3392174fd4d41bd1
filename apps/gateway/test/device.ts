import { signSasToken } from '@muster/auth'
import { partsOf } from '@muster/contract'
import type { Identity } from '@muster/store'
import { eventually } from '@muster/testkit'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import type { TestGateway } from './hub.ts'

interface Message {
  readonly topic: string
  readonly payload: string
}

/** A device or module that is connected. */
export interface TestDevice {
  readonly client: MqttClient
  readonly sessionPresent: boolean
  /** Received and not taken yet. */
  readonly messages: Message[]
  /** Resolves when the connection is gone, whoever ended it. */
  readonly closed: Promise<void>
  /** The granted QoS of each filter. */
  subscribe(filters: readonly string[], qos?: 0 | 1 | 2): Promise<number[]>
  /** Resolves when it has been sent, and with QoS 1 acknowledged. */
  publish(topic: string, payload?: string | Buffer, qos?: 0 | 1 | 2): Promise<void>
  /** Waits for a message whose topic begins so. */
  take(topicStart: string): Promise<Message>
  /** Ends the connection with a DISCONNECT, or without. */
  end(how?: 'disconnect' | 'drop'): Promise<void>
}

export const responses = '$iothub/twin/res/#'
export const desired = '$iothub/twin/PATCH/properties/desired/#'
export const methods = '$iothub/methods/POST/#'

/** A device or a module. */
export type TestIdentity = Pick<Identity, 'identity' | 'authentication'>

/** A token as the device SDKs make it. */
export function tokenOf(
  { identity, authentication }: TestIdentity,
  expiresAt = new Date(Date.now() + 3_600_000),
): string {
  const { deviceId, moduleId } = partsOf(identity)
  const resource = `localhost/devices/${deviceId}${moduleId === null ? '' : `/modules/${moduleId}`}`
  return signSasToken({ resource, key: authentication.primaryKey ?? '', expiresAt })
}

/** Connects as the device SDKs do: MQTT 3.1.1 over TLS, a persistent session. */
export async function connectDevice(
  gateway: TestGateway,
  device: TestIdentity,
  options: IClientOptions = {},
): Promise<TestDevice> {
  const client = openClient(gateway, device, options)
  const messages: Message[] = []
  client.on('message', (topic, payload) => messages.push({ topic, payload: payload.toString() }))
  const closed = new Promise<void>((resolve) => client.once('close', resolve))
  const sessionPresent = await connected(client)

  return {
    client,
    sessionPresent,
    messages,
    closed,
    subscribe: async (filters, qos = 0) => {
      // Rejected filters are an error to mqtt.js, though the answer says which ones.
      const granted = await new Promise<number[]>((resolve, reject) => {
        client.subscribe([...filters], { qos }, (error, _granted, packet) => {
          if (packet?.granted !== undefined) resolve(packet.granted.map(Number))
          else reject(error)
        })
      })
      return granted
    },
    publish: async (topic, payload = '', qos = 0) => {
      await client.publishAsync(topic, payload, { qos })
    },
    take: (topicStart) =>
      eventually(() => {
        const at = messages.findIndex(({ topic }) => topic.startsWith(topicStart))
        const [message] = at < 0 ? [] : messages.splice(at, 1)
        if (message === undefined) throw new Error(`${device.identity} has received nothing on ${topicStart}`)
        return message
      }),
    end: async (how = 'disconnect') => {
      if (how === 'disconnect') client.end()
      else client.stream.destroy()
      await closed
    },
  }
}

/** The return code of the CONNACK that refuses the device, or `closed` when none came. */
export async function refusalOf(gateway: TestGateway, device: TestIdentity, options: IClientOptions = {}) {
  const client = openClient(gateway, device, options)
  return connected(client).then(
    () => 'connected',
    (error: Error & { code?: unknown }) => error.code,
  )
}

/** Why the connection of the device or module to the gateway ends next. */
export function nextEnd({ hub }: TestGateway, identity: string): Promise<string> {
  return new Promise((resolve) => {
    const off = hub.events.on('deviceDisconnected', (fields) => {
      if (fields.deviceId !== identity) return
      off()
      resolve(fields.reason)
    })
  })
}

function openClient(gateway: TestGateway, device: TestIdentity, options: IClientOptions): MqttClient {
  return mqtt.connect({
    protocol: 'mqtts',
    host: 'localhost',
    port: gateway.mqttsPort,
    ca: gateway.hub.front.tls.ca,
    protocolVersion: 4,
    clientId: device.identity,
    username: `localhost/${device.identity}/?api-version=2021-04-12&DeviceClientType=test`,
    password: tokenOf(device),
    clean: false,
    keepalive: 180,
    reconnectPeriod: 0,
    resubscribe: false,
    ...options,
  })
}

/** Resolves with SessionPresent. */
function connected(client: MqttClient): Promise<boolean> {
  return new Promise((resolve, reject) => {
    client.once('connect', ({ sessionPresent }) => resolve(sessionPresent))
    client.on('error', reject)
    client.once('close', () => reject(Object.assign(new Error('closed without a CONNACK'), { code: 'closed' })))
  })
}
