import type { CallResult, DeviceCall } from '@muster/bus'
import { gatewayId, type Json, jsonText } from '@muster/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, connectDevice, openApi } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(async () => api[Symbol.asyncDispose]())

/** What the gateway reports, with a payload that is no text yet. */
type Given = Omit<CallResult, 'identity' | 'payload'> & { status?: number; payload?: Json; reason?: string }

/** A device that is connected to a gateway of its own, whose calls all come to the same. */
async function givenDevice(deviceId: string, result: Given | (() => Given | undefined)) {
  const calls: (Omit<DeviceCall, 'payload'> & { payload: unknown })[] = []
  await api.send('PUT', `/devices/${deviceId}`, {})
  await connectDevice(api, deviceId, `gateway-${deviceId}`)
  const door = await api.bus.serveGateway(gatewayId(`gateway-${deviceId}`), {
    call: (call, report) => {
      calls.push({ ...call, payload: JSON.parse(call.payload) })
      const { payload = null, ...reported } = {
        ...(typeof result === 'function' ? result() : result),
        identity: deviceId,
      }
      report({ ...reported, payload: jsonText(payload) } as CallResult)
    },
    dropCall: () => {},
    pushDesired: () => {},
    closeConnection: () => {},
  })
  return { calls, [Symbol.asyncDispose]: () => door[Symbol.asyncDispose]() }
}

const call = (deviceId: string, body: unknown = { methodName: 'ping' }, options = {}) =>
  api.send('POST', `/twins/${deviceId}/methods`, body, options)
/** The second error form: JSON inside `Message`. */
const nested = (reply: { body: { Message: string } }) => JSON.parse(reply.body.Message)

describe('a direct method', () => {
  it.each([200, 500, 0])('answers 200 with whatever the device answers: %i', async (status) => {
    await using device = await givenDevice(`answers-${status}`, { kind: 'answered', status, payload: { left: 3 } })

    const reply = await call(`answers-${status}`, {
      methodName: 'reboot',
      payload: { delay: 1 },
      responseTimeoutInSeconds: 10,
      connectTimeoutInSeconds: 0,
    })

    expect(reply.status).toBe(200)
    expect(reply.body).toEqual({ status, payload: { left: 3 } })
    expect(device.calls).toMatchObject([{ methodName: 'reboot', payload: { delay: 1 }, responseTimeoutSeconds: 10 }])
  })

  it('sends null when it has no payload, and keeps false and 0', async () => {
    await using device = await givenDevice('payloads', { kind: 'answered', status: 200, payload: null })

    await call('payloads')
    await call('payloads', { METHODNAME: 'ping', Payload: 0 })
    await call('payloads', { methodName: 'ping', payload: false })

    expect(device.calls.map(({ payload }) => payload)).toEqual([null, 0, false])
  })

  it.each([
    ['noAnswer', 504, 504101, 'Timed out waiting for the response from device.'],
    ['badAnswer', 502, 502000, "The device's answer could not be used: no JSON"],
    ['notOnline', 404, 404103, 'Timed out waiting for device to connect.'],
    ['connectionLost', 404, 404104, 'Device unavailable'],
    ['takenOver', 400, 400027, 'opened a new connection'],
    ['busy', 403, 403800, 'Too many direct methods'],
    ['gatewayLost', 504, 504101, 'gave no sign of life'],
  ])('that comes to %s is %i', async (kind, status, errorCode, message) => {
    await using _ = await givenDevice(`comes-to-${kind}`, { kind, reason: 'no JSON' } as never)

    const reply = await call(`comes-to-${kind}`)

    expect(reply.status).toBe(status)
    expect(nested(reply)).toMatchObject({ errorCode, message: expect.stringContaining(message) })
  })

  it.each([
    ['noAnswer', true],
    ['badAnswer', true],
    ['gatewayLost', false],
    ['expired', false],
  ])('tells the operator whose fault an error is: %s, of the device: %s', async (kind, isOfDevice) => {
    await using _ = await givenDevice(`fault-${kind}`, { kind, reason: 'no JSON' } as never)
    const served: boolean[] = []
    const off = api.events.on('requestServed', (fields) => served.push(fields.isOfDevice))

    await call(`fault-${kind}`)
    off()

    expect(served).toEqual([isOfDevice])
  })

  it('of a gateway that is gone is 504', async () => {
    await api.send('PUT', '/devices/orphan', {})
    await connectDevice(api, 'orphan', 'gateway-gone')

    const reply = await call('orphan')

    expect(reply.status).toBe(504)
  })

  it('on an unknown device is 404 at once', async () => {
    const reply = await call('nobody', { methodName: 'ping', connectTimeoutInSeconds: 300 })

    expect(reply.status).toBe(404)
    expect(reply.headers.get('iothub-errorcode')).toBe('DeviceNotFound')
    expect(nested(reply)).toMatchObject({
      errorCode: 404001,
      trackingId: expect.stringMatching(/^[0-9a-f]{32}-G:0-TimeStamp:/),
      timestampUtc: '2026-03-02T12:00:00.000Z',
    })
    expect(reply.body.ExceptionMessage).toBe('')
  })

  it('on a device that is not connected, or disabled, is 404103 with the time waited', async () => {
    await api.send('PUT', '/devices/offline', {})
    await api.send('PUT', '/devices/disabled', { status: 'disabled' })
    await connectDevice(api, 'disabled', 'gateway-disabled')

    const offline = await call('offline')
    const disabled = await call('disabled', { methodName: 'ping', connectTimeoutInSeconds: 1 })

    expect(nested(offline)).toMatchObject({ errorCode: 404103, info: { timeout: '00:00:00' } })
    expect(nested(disabled)).toMatchObject({ errorCode: 404103, info: { timeout: '00:00:01' } })
  })

  it('waits for a device that connects within the connect timeout', async () => {
    await api.send('PUT', '/devices/late', {})

    const reply = call('late', { methodName: 'ping', connectTimeoutInSeconds: 30 })
    await using _ = await givenDevice('late', { kind: 'answered', status: 200, payload: 'here' })

    expect((await reply).body).toEqual({ status: 200, payload: 'here' })
  })

  it('waits for a device that has just gone and comes back, which was not called', async () => {
    const results: Given[] = [{ kind: 'notOnline' }, { kind: 'answered', status: 200, payload: 'back' }]
    await using device = await givenDevice('returns', () => results.shift())

    const reply = await call('returns', { methodName: 'ping', connectTimeoutInSeconds: 30 })

    expect(reply.body).toEqual({ status: 200, payload: 'back' })
    expect(device.calls).toHaveLength(2)
  })

  it('has the older error form before 2018', async () => {
    const reply = await call('nobody', { methodName: 'ping' }, { apiVersion: '2016-11-14' })

    expect(reply.body.Message).toBe('ErrorCode:DeviceNotFound;There is no device with the id nobody')
  })

  it('has a name for a takeover in the older error form, too', async () => {
    await using _ = await givenDevice('taken-over-2016', { kind: 'takenOver' })

    const reply = await call('taken-over-2016', { methodName: 'ping' }, { apiVersion: '2016-11-14' })

    expect(reply.status).toBe(400)
    expect(reply.headers.get('iothub-errorcode')).toBe('ConnectionForcefullyClosedOnNewConnection')
    expect(reply.body.Message).toMatch(/^ErrorCode:ConnectionForcefullyClosedOnNewConnection;The device opened a new/)
  })

  it.each([
    ['no body', null, 400005, 'the body is missing'],
    ['no name', {}, 400005, 'methodName is missing'],
    ['a name with a space', { methodName: 'a b' }, 400004, 'methodName must be of printable US-ASCII'],
    [
      'a timeout out of range',
      { methodName: 'a', responseTimeoutInSeconds: 301 },
      400004,
      'responseTimeoutInSeconds must be within [5; 300]. Got 301',
    ],
    [
      'a timeout that is no number',
      { methodName: 'a', connectTimeoutInSeconds: 'x' },
      400006,
      'connectTimeoutInSeconds',
    ],
    [
      'a payload that is too large',
      { methodName: 'a', payload: 'x'.repeat(131_072) },
      413001,
      'payload takes 131074 bytes',
    ],
  ])('refuses %s', async (_, body, errorCode, text) => {
    const refused = await call('nobody', body)

    expect(refused.status).toBe(Math.floor(errorCode / 1000))
    expect(nested(refused)).toMatchObject({ errorCode, message: expect.stringContaining(text) })
  })
})
