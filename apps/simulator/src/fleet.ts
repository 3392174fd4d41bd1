import { createSecureContext } from 'node:tls'
import type { Json, JsonObject } from '@muster/contract'
import pLimit from 'p-limit'
import type { Behaviour } from './behaviour.ts'
import { createDevice, type Device } from './device.ts'

export interface SimulatedDeviceKey {
  readonly deviceId: string
  /** Base64. */
  readonly key: string
}

export interface FleetOptions {
  /** The name of the hub in user names and tokens. */
  readonly hostName: string
  readonly mqttsPort: number
  /** Where to connect, when that is not `hostName`. */
  readonly gatewayHost?: string
  /** Certificates to trust, PEM. */
  readonly ca: string
  readonly devices: readonly (SimulatedDeviceKey & { readonly behaviour: Behaviour })[]
  /** How many TLS handshakes may run at the same time. Default: 50. */
  readonly connectConcurrency?: number
  readonly onMethod?: (deviceId: string, call: { readonly name: string; readonly payload: Json }) => void
  readonly onDesired?: (deviceId: string, patch: JsonObject, version: number) => void
  /** Called for each attempt to connect that has failed. The device tries again by itself. */
  readonly onFailure?: (deviceId: string, error: unknown) => void
}

/** Many devices in one process. Disposing it disconnects them all. */
export interface Fleet extends AsyncDisposable {
  /** Devices that are connected and subscribed. */
  readonly connectedCount: number
  /** Direct methods received, the unanswered ones included. */
  readonly methodCallCount: number
  /** Desired changes received. */
  readonly desiredCount: number
  /**
   * Connects these devices, or all but the offline ones. Each connects again by itself when its connection is lost. Resolves when all
   * are connected and subscribed. Rejects when the hub refuses one, or one has failed five times.
   */
  connect(deviceIds?: readonly string[]): Promise<void>
  /** Disconnects these devices, or all, with a DISCONNECT. Takes 2 s at most. */
  disconnect(deviceIds?: readonly string[]): Promise<void>
}

export function createFleet(options: FleetOptions): Fleet {
  let methodCallCount = 0
  let desiredCount = 0
  const { hostName, gatewayHost = hostName, mqttsPort } = options
  const hub = { hostName, gatewayHost, mqttsPort, trust: createSecureContext({ ca: options.ca }) }
  const limit = pLimit(options.connectConcurrency ?? 50)

  const devices = new Map<string, Device>()
  for (const { deviceId, key, behaviour } of options.devices) {
    const onMethod = (call: { name: string; payload: Json }) => {
      methodCallCount += 1
      options.onMethod?.(deviceId, call)
    }
    const onDesired = (patch: JsonObject, version: number) => {
      desiredCount += 1
      options.onDesired?.(deviceId, patch, version)
    }
    const onFailure = (error: unknown) => options.onFailure?.(deviceId, error)
    devices.set(deviceId, createDevice({ deviceId, key, behaviour, hub, limit, onMethod, onDesired, onFailure }))
  }

  function find(deviceId: string): Device {
    const device = devices.get(deviceId)
    if (device === undefined) throw new RangeError(`The fleet has no device "${deviceId}"`)
    return device
  }

  async function disconnect(deviceIds?: readonly string[]): Promise<void> {
    const chosen = deviceIds?.map(find) ?? [...devices.values()]
    await Promise.all(chosen.map((device) => device.disconnect()))
  }

  return {
    get connectedCount() {
      return [...devices.values()].filter((device) => device.isConnected).length
    },
    get methodCallCount() {
      return methodCallCount
    },
    get desiredCount() {
      return desiredCount
    },
    async connect(deviceIds) {
      const chosen = deviceIds?.map(find) ?? [...devices.values()].filter((device) => !device.behaviour.offline)
      await Promise.all(chosen.map((device) => device.connect()))
    },
    disconnect,
    [Symbol.asyncDispose]: () => disconnect(),
  }
}
