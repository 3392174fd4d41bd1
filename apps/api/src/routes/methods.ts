import { setTimeout } from 'node:timers/promises'
import type { CallResult } from '@muster/bus'
import {
  type DeviceId,
  type GatewayId,
  HubError,
  type MethodRequest,
  type MethodResponse,
  methodRequestSchema,
  parseBody,
  parseDeviceId,
  unreachable,
} from '@muster/contract'
import { findRoutes } from '@muster/store'
import type { Deps, Endpoint } from '../endpoint.ts'
import { foldMembers, readJson } from '../json-body.ts'
import { jsonReply } from '../reply.ts'
import { methodCallSchema, methodResponseSchema } from '../schemas.ts'
import { unknownDevice } from '../unknown-device.ts'

export function methodRoutes(deps: Deps): readonly Endpoint[] {
  return [
    {
      method: 'post',
      path: '/twins/{deviceId}/methods',
      summary: 'Call a direct method on a device and wait for its answer',
      permission: 'ServiceConnect',
      body: methodCallSchema,
      reply: methodResponseSchema,
      errorForm: 'nested',
      async handle(c) {
        const deviceId = parseDeviceId(c.req.param('deviceId') ?? '')
        const request = parseMethod(await readJson(c))
        const { signal } = c.req.raw
        const gatewayId = await waitForRoute(deps, deviceId, request.connectTimeoutInSeconds, signal)
        return jsonReply(200, await callMethod(deps, { ...request, gatewayId, deviceId }, signal))
      },
    },
  ]
}

const members = ['methodName', 'payload', 'responseTimeoutInSeconds', 'timeoutInSeconds', 'connectTimeoutInSeconds']

function parseMethod(body: unknown): MethodRequest {
  return parseBody<MethodRequest>(methodRequestSchema, foldMembers(body, members))
}

/** A device that connects meanwhile is noticed this late. */
const pollMs = 250

/** Where the device can be called. Waits for it to connect and to subscribe to methods as long as the caller asked for. */
async function waitForRoute(
  { db }: Deps,
  deviceId: DeviceId,
  connectTimeoutSeconds: number,
  signal: AbortSignal,
): Promise<GatewayId> {
  const polls = Math.ceil((connectTimeoutSeconds * 1000) / pollMs)
  for (let poll = 0; ; poll += 1) {
    const [route] = await findRoutes(db, [deviceId])
    if (route === undefined) throw unknownDevice(deviceId)
    if (route.status === 'enabled' && route.gatewayId !== null) return route.gatewayId
    // Who has hung up reads no answer.
    if (poll === polls || signal.aborted) throw notOnline(connectTimeoutSeconds)
    await setTimeout(pollMs)
  }
}

async function callMethod(
  { bus }: Deps,
  call: MethodRequest & { gatewayId: GatewayId; deviceId: DeviceId },
  signal: AbortSignal,
): Promise<MethodResponse> {
  const results = bus.callDevices(
    {
      gatewayId: call.gatewayId,
      deviceIds: [call.deviceId],
      methodName: call.methodName,
      payload: call.payload,
      responseTimeoutSeconds: call.responseTimeoutInSeconds,
    },
    signal,
  )
  return answerOf(await firstOf(results), call.connectTimeoutInSeconds)
}

/** The one result of a call to one device. None comes only when the caller has hung up: nobody reads what is answered then. */
async function firstOf(results: AsyncIterable<readonly CallResult[]>): Promise<CallResult> {
  for await (const [result] of results) {
    if (result !== undefined) return result
  }
  throw new HubError('GatewayTimeout', { message: 'The caller ended the request before the device answered.' })
}

function answerOf(result: CallResult, connectTimeoutSeconds: number): MethodResponse {
  switch (result.kind) {
    case 'answered':
      return { status: result.status, payload: result.payload }
    case 'noAnswer':
      throw new HubError('GatewayTimeout', { message: 'Timed out waiting for the response from device.' })
    case 'badAnswer':
      throw new HubError('GenericBadGateway', { message: `The device's answer could not be used: ${result.reason}` })
    case 'notOnline':
      throw notOnline(connectTimeoutSeconds)
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
