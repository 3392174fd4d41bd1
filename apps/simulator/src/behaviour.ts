import { createHash } from 'node:crypto'
import type { JsonObject } from '@muster/contract'

/** How one simulated device behaves. */
export interface Behaviour {
  /** Shortest and longest time before a method is answered. */
  readonly latencyMs: readonly [number, number]
  /** The status with which methods are answered. */
  readonly status: number
  /** The answers to its first methods, one each; null: none. Default: all methods are answered alike. */
  readonly firstAnswers?: readonly (Answer | null)[]
  /** Takes methods and never answers them. */
  readonly silent: boolean
  /** Registered, but connects only when it is asked for by id. */
  readonly offline: boolean
  /** Reports each desired change back as reported properties. Default: true. */
  readonly reports?: boolean
}

/** Of a device to a method. */
export interface Answer {
  readonly status: number
  readonly payload: JsonObject
}

/** The shares of a fleet, from 0 to 1, that misbehave. A device has one fault at most. */
export interface Shares {
  readonly failing: number
  readonly failStatus: number
  readonly silent: number
  readonly offline: number
  readonly latencyMs: readonly [number, number]
}

/**
 * Gives every device its behaviour. Each share is rounded to whole devices. Only the ids decide which devices have faults, and not
 * their order. The faults are spread over the ids: a fleet that is numbered floor by floor has faults on all floors.
 */
export function assignBehaviours<Device extends { readonly deviceId: string }>(
  devices: readonly Device[],
  shares: Shares,
): (Device & { readonly behaviour: Behaviour })[] {
  const shuffled = devices.map((device) => device.deviceId).sort((a, b) => (hash(a) < hash(b) ? -1 : 1))
  const take = (share: number) => new Set(shuffled.splice(0, Math.round(share * devices.length)))
  const failing = take(shares.failing)
  const silent = take(shares.silent)
  const offline = take(shares.offline)
  return devices.map((device) => ({
    ...device,
    behaviour: {
      latencyMs: shares.latencyMs,
      status: failing.has(device.deviceId) ? shares.failStatus : 200,
      silent: silent.has(device.deviceId),
      offline: offline.has(device.deviceId),
    },
  }))
}

function hash(deviceId: string): string {
  return createHash('sha256').update(deviceId).digest('hex')
}
