import { type CallResult, newCall } from '@muster/bus'
import {
  type GatewayId,
  HubError,
  type IdentityKey,
  type MethodRequest,
  type MethodResponse,
  methodResponseText,
  parseMethodRequest,
  unreachable,
} from '@muster/contract'
import type { Traceparent } from '@muster/runtime'
import { findRoutes, type Route } from '@muster/store'
import { addressedIdentity } from '../http/address.ts'
import type { Deps, Endpoint } from '../http/endpoint.ts'
import { readDocument } from '../http/json-body.ts'
import { jsonTextReply } from '../http/reply.ts'
import { methodCallSchema, methodResponseSchema } from '../http/schemas.ts'
import { unknownIdentity } from '../http/unknown-identity.ts'
import { createRoutesToCome, type RoutesToCome } from './await-route.ts'

export function methodRoutes(deps: Deps): readonly Endpoint[] {
  const caller = { ...deps, routesToCome: createRoutesToCome(deps.db) }
  return [
    routeOf(caller, '/twins/{deviceId}/methods', 'Device'),
    routeOf(caller, '/twins/{deviceId}/modules/{moduleId}/methods', 'Module'),
  ]
}

interface Caller extends Pick<Deps, 'db' | 'bus' | 'clock'> {
  readonly routesToCome: RoutesToCome
}

function routeOf(caller: Caller, path: string, noun: 'Device' | 'Module'): Endpoint {
  return {
    method: 'post',
    path,
    operationId: `invoke${noun}Method`,
    summary: `Call a direct method on a ${noun.toLowerCase()} and wait for its answer`,
    permission: 'ServiceConnect',
    throttle: 'directMethods',
    example: {
      body: { methodName: 'reboot', payload: { delaySeconds: 5 }, responseTimeoutInSeconds: 30 },
      reply: { status: 200, payload: { state: 'rebooting' } },
    },
    body: methodCallSchema,
    reply: methodResponseSchema,
    errorForm: 'nested',
    async handle(c) {
      const identity = addressedIdentity(c)
      const { body, numberText } = readDocument(c)
      const request = parseMethodRequest(body, '', numberText)
      const { signal } = c.req.raw
      const { traceparent } = c.get('span')
      const response = await callWhenOnline(caller, { ...request, identity, traceparent }, signal)
      return jsonTextReply(200, methodResponseText(response))
    },
  }
}

/** A method, and the device or module that it is for. */
type Call = MethodRequest & { readonly identity: IdentityKey; readonly traceparent: Traceparent | null }

/**
 * Calls the device when it is online: connected and subscribed to methods. Waits for that as long as the caller asked. It also waits
 * when the device has just gone, because then it was not called.
 */
async function callWhenOnline(caller: Caller, call: Call, signal: AbortSignal): Promise<MethodResponse> {
  const { identity, connectTimeoutInSeconds } = call
  const deadlineMs = performance.now() + connectTimeoutInSeconds * 1000
  let [route] = await findRoutes(caller.db, [identity])
  for (;;) {
    if (route === undefined) throw await unknownIdentity(caller.db, identity)
    const gatewayId = gatewayOf(route)
    const result = gatewayId === null ? null : await callMethod(caller, { ...call, gatewayId }, signal)
    if (result !== null && result.kind !== 'notOnline') return answerOf(result)
    // A caller that has hung up reads no answer.
    if (performance.now() >= deadlineMs || signal.aborted) throw notOnline(connectTimeoutInSeconds)
    route = await caller.routesToCome.next(identity)
  }
}

/** Null while the device is not online. */
function gatewayOf({ status, gatewayId }: Route): GatewayId | null {
  return status === 'enabled' ? gatewayId : null
}

async function callMethod(
  { bus, clock }: Caller,
  call: Call & { readonly gatewayId: GatewayId },
  signal: AbortSignal,
): Promise<CallResult> {
  const request = newCall(
    {
      gatewayId: call.gatewayId,
      identities: [call.identity],
      methodName: call.methodName,
      payload: call.payload,
      responseTimeoutSeconds: call.responseTimeoutInSeconds,
      traceparent: call.traceparent,
    },
    clock.now(),
  )
  return firstOf(bus.callDevices(request, { signal, patience: 'short' }))
}

/** The one result of a call to one device. It is missing only when the caller has hung up, and then nobody reads the answer. */
async function firstOf(results: AsyncIterable<readonly CallResult[]>): Promise<CallResult> {
  for await (const [result] of results) {
    if (result !== undefined) return result
  }
  throw new HubError('GatewayTimeout', { message: 'The caller ended the request before the device answered.' })
}

function answerOf(result: Exclude<CallResult, { kind: 'notOnline' }>): MethodResponse {
  switch (result.kind) {
    case 'answered':
      return { status: result.status, payload: result.payload }
    case 'noAnswer':
      throw new HubError('GatewayTimeout', {
        message: 'Timed out waiting for the response from device.',
        isOfDevice: true,
      })
    case 'badAnswer':
      throw new HubError('GenericBadGateway', {
        message: `The device's answer could not be used: ${result.reason}`,
        isOfDevice: true,
      })
    case 'connectionLost':
      throw new HubError('DeviceConnectionClosedRemotely', {
        message: 'Device unavailable: its connection ended before it answered.',
      })
    case 'takenOver':
      throw new HubError('ConnectionForcefullyClosedOnNewConnection', {
        message: 'The device opened a new connection before it answered the call on the old one.',
      })
    case 'busy':
      throw new HubError('DeviceMaximumInflightMethodExceeded', {
        message: 'Too many direct methods are in flight on this device.',
      })
    case 'expired':
      throw new HubError('GatewayTimeout', {
        message: 'The gateway of the device was too slow: the device was not called.',
      })
    case 'noGateway':
    case 'gatewayLost':
    case 'forgotten':
      // Final for the caller: a client must not repeat it by itself, because the device may have been called.
      throw new HubError('GatewayTimeout', { message: 'The gateway of the device gave no sign of life.' })
    default:
      return unreachable(result)
  }
}

function notOnline(waitedSeconds: number): HubError {
  const timeout = new Date(waitedSeconds * 1000).toISOString().slice(11, 19)
  return new HubError('DeviceNotOnline', { message: 'Timed out waiting for device to connect.', info: { timeout } })
}
