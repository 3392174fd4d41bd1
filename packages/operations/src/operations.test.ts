import { HubError, type JsonObject, jobTypes, jsonText, vocabularyOf } from '@muster/contract'
import { describe, expect, it } from 'vitest'
import { operationOf } from './index.ts'

const today = vocabularyOf('2021-04-12')
const of2016 = vocabularyOf('2016-11-14')

/** A body of each type that must be accepted. A new job type needs one to compile. */
const bodies: Record<(typeof jobTypes)[number], JsonObject> = {
  scheduleUpdateTwin: { etag: '*', tags: { floor: 3 }, properties: { desired: { interval: 5 } } },
  scheduleDeviceMethod: { methodName: 'reboot', payload: { delay: 1 }, responseTimeoutInSeconds: 20 },
}

describe.each(jobTypes)('the operation of %s', (type) => {
  const operation = operationOf(type)

  it('is the one that its type names', () => {
    expect(operation.type).toBe(type)
  })

  it('reads back the body that it shows as the same body', () => {
    const stored = operation.parseBody(bodies[type], today)

    expect(operation.parseBody(JSON.parse(operation.bodyText(stored)), today)).toEqual(stored)
  })

  it.each([undefined, null, 'text', 5, [], {}])('refuses the body %j with an error that names its member', (body) => {
    expect(() => operation.parseBody(body, today)).toThrow(HubError)
    expect(() => operation.parseBody(body, today)).toThrow(operation.member)
  })

  it('makes chunks of a bounded size', () => {
    expect(operation.chunkSize).toBeGreaterThan(0)
    expect(operation.chunkSize).toBeLessThanOrEqual(1_000)
  })
})

describe('a twin update', () => {
  const { parseBody } = operationOf('scheduleUpdateTwin')

  it('must carry the etag * in today’s versions, and may leave it out in those of 2016', () => {
    expect(() => parseBody({ tags: { floor: 3 } }, today)).toThrow('etag')
    expect(() => parseBody({ etag: 'AAAA', tags: { floor: 3 } }, today)).toThrow('"AAAA"')
    expect(() => parseBody({ etag: null, tags: { floor: 3 } }, today)).toThrow('got null')
    expect(parseBody({ tags: { floor: 3 } }, of2016)).toMatchObject({ tags: { floor: 3 } })
    expect(parseBody({ etag: null, tags: { floor: 3 } }, of2016)).toMatchObject({ tags: { floor: 3 } })
    expect(() => parseBody({ etag: '', tags: { floor: 3 } }, of2016)).toThrow('got ""')
  })

  it('has its members in any letter case', () => {
    const body = { ETag: '*', Tags: { Floor: 3 }, Properties: { DESIRED: { Mode: 'eco' } } }

    expect(parseBody(body, today)).toEqual({
      deviceId: null,
      etag: '*',
      tags: { Floor: 3 },
      properties: { desired: { Mode: 'eco' } },
    })
  })

  it('ignores what no back end may write', () => {
    const body = { etag: '*', version: 7, tags: { floor: 3 }, properties: { reported: { firmware: '2' } } }

    expect(parseBody(body, today)).toEqual({ deviceId: null, etag: '*', tags: { floor: 3 } })
  })

  it('without anything to write is refused', () => {
    expect(() => parseBody({ etag: '*', desired: { interval: 5 } }, today)).toThrow('tags or properties.desired')
  })
})

describe('a method call', () => {
  const operation = operationOf('scheduleDeviceMethod')
  if (operation.kind !== 'device') throw new TypeError('methods are called on devices')

  it('takes the old name of its response timeout, and the new one before it', () => {
    const timeout = (body: JsonObject) => operation.call(operation.parseBody(body, today)).responseTimeoutSeconds

    expect(timeout({ methodName: 'reboot', timeoutInSeconds: 40 })).toBe(40)
    expect(timeout({ methodName: 'reboot', timeoutInSeconds: 40, responseTimeoutInSeconds: 50 })).toBe(50)
    expect(timeout({ methodName: 'reboot' })).toBe(30)
  })

  it('is called with what was stored of it', () => {
    const stored = operation.parseBody({ methodName: 'reboot', payload: { delay: 5 }, timeoutInSeconds: 40 }, today)

    expect(operation.call(stored)).toEqual({ methodName: 'reboot', responseTimeoutSeconds: 40 })
  })

  it.each([4, 301, 2.5])('refuses a response timeout of %d s', (responseTimeoutInSeconds) => {
    expect(() => operation.parseBody({ methodName: 'reboot', responseTimeoutInSeconds }, today)).toThrow(
      'cloudToDeviceMethod.responseTimeoutInSeconds',
    )
  })

  it.each(['', 're boot', 'reboot?', 'x'.repeat(129)])('refuses the method name %j', (methodName) => {
    expect(() => operation.parseBody({ methodName }, today)).toThrow('cloudToDeviceMethod.methodName')
  })

  it('J9 takes a device’s answer as final, whatever its status, and tries again what certainly did not reach the device', () => {
    const device = { identity: 'pump-1' }

    expect(operation.decide({ ...device, kind: 'answered', status: 500, payload: jsonText(null) }, {}).kind).toBe(
      'succeeded',
    )
    expect(operation.decide({ ...device, kind: 'noAnswer' }, {})).toMatchObject({
      kind: 'failed',
      error: { code: 'GatewayTimeout' },
    })
    expect(operation.decide({ ...device, kind: 'badAnswer', reason: 'it is no JSON' }, {})).toEqual({
      kind: 'failed',
      error: { code: 'GenericBadGateway', description: "The device's answer could not be used: it is no JSON" },
    })
    for (const kind of ['notOnline', 'busy', 'expired', 'noGateway'] as const) {
      expect(operation.decide({ ...device, kind }, {}).kind).toBe('retry')
    }
  })

  it.each(['connectionLost', 'takenOver', 'gatewayLost', 'forgotten'] as const)(
    'J22 is final after %s, unless the caller asks for another call',
    (kind) => {
      const device = { identity: 'pump-1', kind }

      expect(operation.decide({ ...device, deliveredAtMs: 1 }, {})).toEqual({
        kind: 'failed',
        error: {
          code: 'DeviceConnectionClosedRemotely',
          description:
            'The connection or its gateway was lost after the call was delivered: whether the device acted is not known.',
        },
      })
      expect(operation.decide(device, {})).toMatchObject({
        error: { description: 'A gateway or a worker was lost: whether the call was delivered is not known.' },
      })
      expect(operation.decide(device, { onUnknownOutcome: 'retry' })).toEqual({ kind: 'retry' })
    },
  )

  it('J22 takes the words fail and retry for onUnknownOutcome, and shows only the second', () => {
    const body = { methodName: 'reboot' }

    expect(operation.parseBody({ ...body, onUnknownOutcome: 'retry' }, today)).toMatchObject({
      onUnknownOutcome: 'retry',
    })
    expect(operation.parseBody({ ...body, onUnknownOutcome: 'fail' }, today)).not.toHaveProperty('onUnknownOutcome')
    expect(() => operation.parseBody({ ...body, onUnknownOutcome: 'again' }, today)).toThrow(
      'cloudToDeviceMethod.onUnknownOutcome must be one of fail, retry, got "again"',
    )
  })
})
