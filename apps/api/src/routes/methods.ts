import { setTimeout } from 'node:timers/promises'
import type { CallResult } from '@muster/bus'
import {
  type GatewayId,
  HubError,
  type IdentityKey,
  type MethodRequest,
  type MethodResponse,
  methodRequestSchema,
  parseBody,
  unreachable,
} from '@muster/contract'
import { findRoutes } from '@muster/store'
import { addressedIdentity } from '../address.ts'
import type { Deps, Endpoint } from '../endpoint.ts'
import { foldMembers, readJson } from '../json-body.ts'
import { jsonReply } from '../reply.ts'
import { methodCallSchema, methodResponseSchema } from '../schemas.ts'
import { unknownIdentity } from '../unknown-identity.ts'

export function methodRoutes(deps: Deps): readonly Endpoint[] {
  return [
    routeOf(deps, '/twins/{deviceId}/methods', 'a device'),
    routeOf(deps, '/twins/{deviceId}/modules/{moduleId}/methods', 'a module'),
  ]
}

function routeOf(deps: Deps, path: string, whose: string): Endpoint {
  return {
    method: 'post',
    path,
    summary: `Call a direct method on ${whose} and wait for its answer`,
    permission: 'ServiceConnect',
    throttle: 'directMethods',
    body: methodCallSchema,
    reply: methodResponseSchema,
    errorForm: 'nested',
    async handle(c) {
      const identity = addressedIdentity(c)
      const request = parseMethod(await readJson(c))
      const { signal } = c.req.raw
      return jsonReply(200, await callWhenOnline(deps, { ...request, identity }, signal))
    },
  }
}

/** A method, and who is to carry it out. */
type Call = MethodRequest & { readonly identity: IdentityKey }

const members = ['methodName', 'payload', 'responseTimeoutInSeconds', 'timeoutInSeconds', 'connectTimeoutInSeconds']

function parseMethod(body: unknown): MethodRequest {
  return parseBody<MethodRequest>(methodRequestSchema, foldMembers(body, members))
}

/** A device that connects meanwhile is noticed this late. */
const pollMs = 250

/**
 * Calls the device when it is online: connected, and subscribed to methods. For that it is waited as long as the caller asked
 * for, also when it turns out to have gone a moment ago: then it was not called.
 */
async function callWhenOnline(deps: Deps, call: Call, signal: AbortSignal): Promise<MethodResponse> {
  const { connectTimeoutInSeconds } = call
  const polls = Math.ceil((connectTimeoutInSeconds * 1000) / pollMs)
  for (let poll = 0; ; poll += 1) {
    const gatewayId = await findGateway(deps, call.identity)
    const result = gatewayId === null ? null : await callMethod(deps, { ...call, gatewayId }, signal)
    if (result !== null && result.kind !== 'notOnline') return answerOf(result)
    // Who has hung up reads no answer.
    if (poll === polls || signal.aborted) throw notOnline(connectTimeoutInSeconds)
    await setTimeout(pollMs)
  }
}

/** Null while the device is not online. @throws HubError DeviceNotFound, ModuleNotFound */
async function findGateway({ db }: Deps, identity: IdentityKey): Promise<GatewayId | null> {
  const [route] = await findRoutes(db, [identity])
  if (route === undefined) throw await unknownIdentity(db, identity)
  return route.status === 'enabled' ? route.gatewayId : null
}

async function callMethod(
  { bus }: Deps,
  call: Call & { readonly gatewayId: GatewayId },
  signal: AbortSignal,
): Promise<CallResult> {
  const results = bus.callDevices(
    {
      gatewayId: call.gatewayId,
      identities: [call.identity],
      methodName: call.methodName,
      payload: call.payload,
      responseTimeoutSeconds: call.responseTimeoutInSeconds,
    },
    signal,
  )
  return firstOf(results)
}

/** The one result of a call to one device. None comes only when the caller has hung up: nobody reads what is answered then. */
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
      throw new HubError('GatewayTimeout', { message: 'Timed out waiting for the response from device.' })
    case 'badAnswer':
      throw new HubError('GenericBadGateway', { message: `The device's answer could not be used: ${result.reason}` })
    case 'connectionLost':
      throw new HubError('DeviceConnectionClosedRemotely', {
        message: 'Device unavailable: its connection ended before it answered.',
      })
    case 'busy':
      throw new HubError('DeviceMaximumInflightMethodExceeded', {
        message: 'Too many direct methods are in flight on this device.',
      })
    case 'gatewayLost':
      // Final for the caller, who must not try again unasked: the device may have been called.
      throw new HubError('GatewayTimeout', { message: 'The gateway of the device gave no sign of life.' })
    default:
      return unreachable(result)
  }
}

function notOnline(waitedSeconds: number): HubError {
  const timeout = new Date(waitedSeconds * 1000).toISOString().slice(11, 19)
  return new HubError('DeviceNotOnline', { message: 'Timed out waiting for device to connect.', info: { timeout } })
}
