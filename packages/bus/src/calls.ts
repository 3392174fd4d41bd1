import { randomBytes } from 'node:crypto'
import type { GatewayId, IdentityKey, JobKey, JsonObject, JsonText } from '@muster/contract'

/** One direct method to be called on many devices or modules of one gateway. */
export interface DeviceCall {
  readonly gatewayId: GatewayId
  /**
   * Hexadecimal digits, the same for every ask and every repetition of this call. A device gets it as the request id. A gateway
   * delivers no call of this id twice to a device, unless a higher delivery is asked for.
   */
  readonly callId: string
  readonly targets: readonly CallTarget[]
  readonly methodName: string
  readonly payload: JsonText
  readonly responseTimeoutSeconds: number
  /** The hub's time, in ms, from which on no device gets the call any more. */
  readonly deliverBeforeMs: number
  /** The span that calls, as in the W3C header of this name. Null or absent: nothing is traced. Processes of an older version lack it. */
  readonly traceparent?: string | null
}

export interface CallTarget {
  readonly identity: string
  /** 1 for the first delivery, 2 for a repetition that the caller of the job wants, and so on. */
  readonly delivery: number
  /** The hub's time, in ms, since when somebody may have asked for this delivery. An earlier worker may have died over it. */
  readonly askedSinceMs: number
}

/** The result of a call on one device or module. `deliveredAtMs`: the hub's time at which it was written to the connection. */
export type CallResult = { readonly identity: string; readonly deliveredAtMs?: number } & (
  | { readonly kind: 'answered'; readonly status: number; readonly payload: JsonText }
  /** Delivered, and not answered within the response timeout. */
  | { readonly kind: 'noAnswer' }
  /** The answer is no JSON, or too large. `reason` is the end of a sentence that says so. */
  | { readonly kind: 'badAnswer'; readonly reason: string }
  /** Not connected there, or not subscribed to methods: not delivered. */
  | { readonly kind: 'notOnline' }
  /** Too many methods in flight on this device: not delivered. */
  | { readonly kind: 'busy' }
  /** It came too late, or its job was cancelled meanwhile: not delivered. */
  | { readonly kind: 'expired' }
  /** Nobody listens on the channel of the gateway: not delivered. */
  | { readonly kind: 'noGateway' }
  /** Delivered. The connection ended before the answer. */
  | { readonly kind: 'connectionLost' }
  /** The same, because the device opened a newer one. */
  | { readonly kind: 'takenOver' }
  /** The gateway is silent. Delivered, if there is a time; else nobody knows. */
  | { readonly kind: 'gatewayLost' }
  /** An earlier worker may have asked for it, and the gateway's memory does not reach so far back. Nobody knows. */
  | { readonly kind: 'forgotten' }
)

/** What a gateway tells of a call: that it is delivered, and later the result. */
export type CallProgress =
  | CallResult
  | { readonly identity: string; readonly kind: 'delivered'; readonly deliveredAtMs: number }

/** No device gets a call later than this after it was claimed, whoever was frozen meanwhile. */
const deliverWithinMs = 3_000

/** A call that nobody has asked for before. */
export function newCall(
  call: Pick<DeviceCall, 'gatewayId' | 'methodName' | 'payload' | 'responseTimeoutSeconds' | 'traceparent'> & {
    readonly identities: readonly string[]
  },
  now: Date,
): DeviceCall {
  const { identities, ...method } = call
  return {
    ...method,
    callId: randomBytes(8).toString('hex'),
    targets: identities.map((identity) => ({ identity, delivery: 1, askedSinceMs: now.getTime() })),
    deliverBeforeMs: deliverBefore(now),
  }
}

/** The id of all calls of a job. */
export function callIdOf(key: JobKey): string {
  return BigInt(key).toString(16)
}

export function deliverBefore(claimedAt: Date): number {
  return claimedAt.getTime() + deliverWithinMs
}

/** A desired patch for connected devices or modules, with the version that each twin has reached by it. */
export interface DesiredPush {
  readonly patch: JsonObject
  readonly devices: readonly { readonly identity: string; readonly version: number }[]
}

/** A connection that must end; for `rekeyed`, only if its credentials are gone. `connectionNo` null: any connection. */
export interface ConnectionClose {
  readonly identity: IdentityKey
  readonly connectionNo: number | null
  readonly reason: 'takeover' | 'disabled' | 'rekeyed' | 'deleted'
}

/** The functions of a gateway for the rest of the hub. */
export interface GatewayDoor {
  /** Delivers the method to each of them. Reports each delivery, and exactly one result for each, in any order. */
  call(call: DeviceCall, report: (progress: CallProgress) => void): void
  /** No device gets this call any more. Those who have it may answer. */
  dropCall(callId: string): void
  /** `toldAtMs`: the hub's time at which the rest of the hub said so. Null: it did not tell. */
  pushDesired(push: DesiredPush, toldAtMs: number | null): void
  closeConnection(close: ConnectionClose): void
}

/** The version of the messages about calls. A gateway refuses every other version; `version`, `askId` and `caller` are in all of them. */
export const callVersion = 1

/** Messages on a gateway's channel. */
export type GatewayMessage =
  | {
      readonly kind: 'call'
      readonly version: number
      readonly askId: string
      readonly caller: string
      readonly call: DeviceCall
    }
  /** Processes of an older version do not tell the time. */
  | { readonly kind: 'desired'; readonly push: DesiredPush; readonly toldAtMs?: number }
  | { readonly kind: 'close'; readonly close: ConnectionClose }

/** Messages on the channel of all gateways. */
export type GatewaysMessage = { readonly kind: 'drop'; readonly callId: string }

/** Messages on a caller's channel. `accepted` comes at once, so that a dead gateway is noticed early. */
export type CallerMessage = { readonly askId: string } & (
  | { readonly kind: 'accepted' }
  /** The gateway does not understand this version: nothing was delivered. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'progress'; readonly progress: readonly CallProgress[] }
)
