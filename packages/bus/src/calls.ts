import type { GatewayId, IdentityKey, Json, JsonObject } from '@muster/contract'

/** One direct method to be called on many devices or modules of one gateway. */
export interface DeviceCall {
  readonly gatewayId: GatewayId
  readonly identities: readonly string[]
  readonly methodName: string
  readonly payload: Json
  readonly responseTimeoutSeconds: number
}

/** The result of a call on one device or module. */
export type CallResult = { readonly identity: string } & (
  | { readonly kind: 'answered'; readonly status: number; readonly payload: Json }
  /** Delivered, and not answered within the response timeout. */
  | { readonly kind: 'noAnswer' }
  /** The answer is no JSON, or too large. `reason` is the end of a sentence that says so. */
  | { readonly kind: 'badAnswer'; readonly reason: string }
  /** Not connected there, or not subscribed to methods: not delivered. */
  | { readonly kind: 'notOnline' }
  /** The connection ended before the answer. */
  | { readonly kind: 'connectionLost' }
  /** The same, because the device opened a newer one. */
  | { readonly kind: 'takenOver' }
  /** Too many methods in flight on this device: not delivered. */
  | { readonly kind: 'busy' }
  /** The caller found that the gateway is silent. */
  | { readonly kind: 'gatewayLost' }
)

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
  /** Delivers the method to each of them and reports exactly one result for each, in any order. */
  call(call: DeviceCall, report: (result: CallResult) => void): void
  pushDesired(push: DesiredPush): void
  closeConnection(close: ConnectionClose): void
}

/** Messages on a gateway's channel. */
export type GatewayMessage =
  | { readonly kind: 'call'; readonly callId: string; readonly caller: string; readonly call: DeviceCall }
  | { readonly kind: 'desired'; readonly push: DesiredPush }
  | { readonly kind: 'close'; readonly close: ConnectionClose }

/** Messages on a caller's channel. `accepted` comes at once, so that a dead gateway is noticed early. */
export type CallerMessage =
  | { readonly kind: 'accepted'; readonly callId: string }
  | { readonly kind: 'results'; readonly callId: string; readonly results: readonly CallResult[] }
