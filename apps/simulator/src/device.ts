import { setTimeout as sleep } from 'node:timers/promises'
import type { Json, JsonObject } from '@muster/contract'
import type { MqttClient } from 'mqtt'
import type { LimitFunction } from 'p-limit'
import type { Answer, Behaviour } from './behaviour.ts'
import { type HubEndpoint, isRefusal, openConnection } from './connection.ts'
import { methodAnswerTopic, parseMessage, reportTopic } from './topics.ts'

/** One simulated device, which stays connected from `connect` to `disconnect`. */
export interface Device {
  readonly deviceId: string
  readonly behaviour: Behaviour
  readonly isConnected: boolean
  /**
   * Resolves when connected and subscribed. Rejects when the hub refuses the device or five attempts have failed. Even then the
   * device continues to try.
   */
  connect(): Promise<void>
  /** Resolves when the connection is closed, 2 s later at most. */
  disconnect(): Promise<void>
}

export interface DeviceOptions {
  readonly deviceId: string
  readonly key: string
  readonly behaviour: Behaviour
  readonly hub: HubEndpoint
  /** Bounds the TLS handshakes of a process that run at the same time. */
  readonly limit: LimitFunction
  readonly onMethod: (call: { readonly name: string; readonly payload: Json }) => void
  readonly onDesired: (patch: JsonObject, version: number) => void
  /** Called for each attempt to connect that has failed. */
  readonly onFailure: (error: unknown) => void
}

export function createDevice(options: DeviceOptions): Device {
  let isConnected = false
  let isKnownToHub = false
  let presence: { stop: AbortController; connected: Promise<void>; ended: Promise<void> } | null = null
  const react = reactionsOf(options)

  async function open(signal: AbortSignal): Promise<{ closed: Promise<void> }> {
    signal.throwIfAborted()
    const { deviceId, key, hub } = options
    const connection = await openConnection(hub, { deviceId, key, isResuming: isKnownToHub, onMessage: react, signal })
    isKnownToHub = true
    return connection
  }

  /** Connects again when the connection is lost. Waits longer after each connection that failed or did not last. */
  async function stayConnected(signal: AbortSignal, onOpen: () => void, onFailure: (error: unknown) => void) {
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        const { closed } = await options.limit(() => open(signal))
        const openedAtMs = performance.now()
        isConnected = true
        onOpen()
        await closed
        isConnected = false
        if (performance.now() - openedAtMs > settledMs) failures = 0
      } catch (error) {
        if (!signal.aborted) options.onFailure(error)
        if (isRefusal(error) || failures + 1 >= attemptsToConnect) onFailure(error)
      }
      // Aborting ends the pause early, and the loop with it.
      await sleep(backoffMs(failures), undefined, { signal }).catch(() => undefined)
    }
    onFailure(new Error(`${options.deviceId} was disconnected before it could connect`))
  }

  function start() {
    const stop = new AbortController()
    let ended: Promise<void> = Promise.resolve()
    const connected = new Promise<void>((resolve, reject) => {
      ended = stayConnected(stop.signal, resolve, reject)
    })
    return { stop, connected, ended }
  }

  return {
    deviceId: options.deviceId,
    behaviour: options.behaviour,
    get isConnected() {
      return isConnected
    },
    connect() {
      presence ??= start()
      return presence.connected
    },
    async disconnect() {
      const ending = presence
      presence = null
      ending?.stop.abort()
      await ending?.ended
    },
  }
}

/** Doubles from half a second to half a minute, less a random part, so that a fleet does not come back all at once. */
export function backoffMs(failures: number, random = Math.random): number {
  return Math.min(30_000, 500 * 2 ** failures) * (0.5 + random() / 2)
}

const attemptsToConnect = 5
/** A connection that lasted this long was no failure. Shorter ones happen when two processes use one identity. */
const settledMs = 10_000

function reactionsOf({ behaviour, onMethod, onDesired }: DeviceOptions) {
  let reportCount = 0
  let methodCount = 0

  function send(client: MqttClient, requestId: string, { status, payload }: Answer) {
    if (client.connected) client.publish(methodAnswerTopic(status, requestId), JSON.stringify(payload))
  }

  return (client: MqttClient, topic: string, payload: Buffer): void => {
    const message = parseMessage(topic, payload)
    if (message?.kind === 'method') {
      onMethod({ name: message.name, payload: message.payload })
      const [shortest, longest] = behaviour.latencyMs
      const latencyMs = shortest + Math.random() * (longest - shortest)
      const answer = answerTo(behaviour, methodCount)
      methodCount += 1
      // Unreferenced, because a pending answer must not keep the process alive.
      if (answer !== null) setTimeout(() => send(client, message.requestId, answer), latencyMs).unref()
    }
    if (message?.kind === 'desired') {
      onDesired(message.patch, message.version)
      reportCount += 1
      if (behaviour.reports !== false) client.publish(reportTopic(String(reportCount)), JSON.stringify(message.patch))
    }
  }
}

/** Null: none. `earlier`: how many methods came before this one. */
function answerTo({ firstAnswers = [], silent, status }: Behaviour, earlier: number): Answer | null {
  const first = firstAnswers[earlier]
  if (first !== undefined) return first
  return silent ? null : { status, payload: { message: status < 300 ? 'done' : `simulated failure ${status}` } }
}
