import { limits } from '@muster/contract'
import { connect, listJobs } from '@muster/store'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../src/app.ts'
import { type Api, noon, openApi, tokenOf } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(async () => api[Symbol.asyncDispose]())

const method = { methodName: 'reboot', payload: null }
const job = { type: 'scheduleDeviceMethod', cloudToDeviceMethod: method, queryCondition: '*' }

describe('a bad body of a job', () => {
  it.each([
    ['no body', undefined, 400, 'ArgumentNull', 'the body is missing'],
    ['a list', [], 400, 'IotHubFormatError', 'object'],
    ['an unknown type', { ...job, type: 'rebootAll' }, 400, 'GenericBadRequest', '"rebootAll"'],
    ['no type', { ...job, type: undefined }, 400, 'ArgumentNull', 'type is missing'],
    ['a type that is no text', { ...job, type: 7 }, 400, 'IotHubFormatError', 'type must be a string, got 7'],
    ['no target', { ...job, queryCondition: undefined }, 400, 'ArgumentNull', 'queryCondition is missing'],
    ['an empty target', { ...job, queryCondition: ' ' }, 400, 'ArgumentNull', 'queryCondition is missing'],
    [
      'a condition that does not parse',
      { ...job, queryCondition: 'tags.floor =' },
      400,
      'ArgumentInvalid',
      'Line 1:41',
    ],
    [
      'a condition with U+0000',
      { ...job, queryCondition: "tags.a = '\u0000'" },
      400,
      'ArgumentInvalid',
      'queryCondition',
    ],
    [
      'deviceIds of numbers',
      { ...job, queryCondition: null, deviceIds: ['a', 1] },
      400,
      'IotHubFormatError',
      'deviceIds.1',
    ],
    [
      'a bad device id',
      { ...job, queryCondition: null, deviceIds: ['a', 'b c'] },
      400,
      'ArgumentInvalid',
      'deviceIds.1 must be a device id',
    ],
    [
      'no device ids',
      { ...job, queryCondition: null, deviceIds: [] },
      400,
      'ArgumentInvalid',
      'deviceIds must hold 1 to 100000 ids, got 0',
    ],
    [
      'another id than the path',
      { ...job, jobId: 'other' },
      400,
      'ArgumentInvalid',
      'jobId in the body is "other", expected "bad"',
    ],
    [
      'a start time that is none',
      { ...job, startTime: 'tomorrow' },
      400,
      'ArgumentInvalid',
      'startTime must be ISO 8601 such as 2026-01-31T10:00:00Z, got "tomorrow"',
    ],
    [
      'a start time before all time',
      { ...job, startTime: '0000-06-01' },
      400,
      'ArgumentInvalid',
      'startTime must be ISO 8601',
    ],
    [
      'a start time too far ahead',
      { ...job, startTime: '2026-04-02T12:00:00Z' },
      400,
      'ArgumentInvalid',
      'at most 30 days ahead',
    ],
    [
      'a window that is too long',
      { ...job, maxExecutionTimeInSeconds: 2_592_001 },
      400,
      'ArgumentInvalid',
      'maxExecutionTimeInSeconds must be 1 to 2592000, or 0 for 3600, got 2592001',
    ],
    ['a negative window', { ...job, maxExecutionTimeInSeconds: -1 }, 400, 'ArgumentInvalid', 'got -1'],
    [
      'a window of half seconds',
      { ...job, maxExecutionTimeInSeconds: 1.5 },
      400,
      'IotHubFormatError',
      'maxExecutionTimeInSeconds',
    ],
    ['no method', { ...job, cloudToDeviceMethod: null }, 400, 'ArgumentNull', 'cloudToDeviceMethod is missing'],
    [
      'a method without a name',
      { ...job, cloudToDeviceMethod: {} },
      400,
      'ArgumentNull',
      'cloudToDeviceMethod.methodName is missing',
    ],
    [
      'a response timeout out of range',
      { ...job, cloudToDeviceMethod: { ...method, responseTimeoutInSeconds: 3 } },
      400,
      'ArgumentInvalid',
      'responseTimeoutInSeconds must be within [5, 300]',
    ],
    [
      'a payload over 128 KiB',
      { ...job, cloudToDeviceMethod: { ...method, payload: 'x'.repeat(131_072) } },
      413,
      'MessageTooLarge',
      'payload takes 131074 bytes of JSON, at most 131072',
    ],
    ['no twin', { ...job, type: 'scheduleUpdateTwin' }, 400, 'ArgumentNull', 'updateTwin is missing'],
    [
      'a twin without an etag',
      { ...job, type: 'scheduleUpdateTwin', updateTwin: { tags: {} } },
      400,
      'ArgumentInvalid',
      'Missing or invalid etag',
    ],
    [
      'a twin without a section',
      { ...job, type: 'scheduleUpdateTwin', updateTwin: { etag: '*', desired: {} } },
      400,
      'ArgumentInvalid',
      'updateTwin must hold tags or properties.desired',
    ],
  ])('%s is refused, and leaves nothing behind', async (_, body, status, code, text) => {
    const reply = await api.send('PUT', '/jobs/v2/bad', body)

    expect(reply.status).toBe(status)
    expect(reply.headers.get('iothub-errorcode')).toBe(code)
    expect(reply.body.Message).toContain(`ErrorCode:${code};`)
    expect(reply.body.Message).toContain(text)
    expect(await jobsInStore()).toEqual([])
  })

  it.each([
    ['cloudToDeviceMethod', '{"methodName":"m","payload":{"a":[1,1e400]}}', 'payload.a[1]: the number is too large'],
    ['updateTwin', '{"etag":"*","tags":{"a":-1e400}}', 'tags.a: the number is too large'],
  ])('a number that no double holds is refused in %s', async (member, operation, complaint) => {
    const type = member === 'updateTwin' ? 'scheduleUpdateTwin' : 'scheduleDeviceMethod'
    const text = `{"type":"${type}","queryCondition":"*","${member}":${operation}}`

    const reply = await api.send('PUT', '/jobs/v2/bad', undefined, { text })

    expect(reply.headers.get('iothub-errorcode')).toBe('ArgumentInvalid')
    expect(reply.body.Message).toContain(complaint)
  })

  it('a condition over the limit of a query points at deviceIds', async () => {
    const longest = `deviceId = '${'x'.repeat(limits.queryLength - 28 - 13)}'`

    const accepted = await api.send('PUT', '/jobs/v2/bad', { ...job, queryCondition: longest })
    const refused = await api.send('PUT', '/jobs/v2/bad2', { ...job, queryCondition: `${longest} ` })

    expect(accepted.status).toBe(200)
    expect(refused.body.Message).toMatch(
      /^ErrorCode:ArgumentInvalid;queryCondition has 8165 characters, at most 8164.*deviceIds/,
    )
  })

  it('an id that breaks the rules is refused', async () => {
    const long = 'x'.repeat(65)

    expect(await codeOf(api.send('PUT', '/jobs/v2/a%20b', job))).toBe('ArgumentInvalid')
    expect(await codeOf(api.send('PUT', '/jobs/v2/a%2Fb', job))).toBe('ArgumentInvalid')
    expect(await codeOf(api.send('PUT', `/jobs/v2/${long}`, job))).toBe('ArgumentInvalid')
    expect(await codeOf(api.send('PUT', '/jobs/v2/query', job))).toBe('ArgumentInvalid')
    expect(await codeOf(api.send('PUT', '/jobs/v2/a%20b/methods/j1', job))).toBe('ArgumentInvalid')
  })
})

describe('a body that is no JSON', () => {
  it.each([
    ['{"type": x}', 'is not JSON (InvalidSymbol) at line 1, column 10 (position 9), near x}'],
    ['{\n  "type": "a",\n}', 'at line 3, column 1'],
    ['{"type": "a"', 'near its end'],
    ['{"type": "\\ud800"}', 'half of a character at line 1, column 11'],
    [`${'['.repeat(65)}${']'.repeat(65)}`, 'is nested deeper than 64 levels at line 1, column 65'],
    ['['.repeat(1_000_000), 'is nested deeper than 64 levels'],
    [`{"a":"${'\\"'.repeat(400_000)}`, 'is not JSON'],
    [`"${'\\"'.repeat(500_000)}\\`, 'is not JSON'],
    [`"${'\\'.repeat(1_000_001)}`, 'is not JSON'],
    ['"\\'.repeat(500_000), 'is not JSON'],
    ['"'.repeat(1_000_001), 'is not JSON'],
  ])('%.40s is refused with its place', async (text, complaint) => {
    const reply = await api.send('PUT', '/jobs/v2/bad', undefined, { text })

    expect(reply.status).toBe(400)
    expect(reply.headers.get('iothub-errorcode')).toBe('GenericBadRequest')
    expect(reply.body.Message).toContain(complaint)
  })

  it('bytes that are no UTF-8 are refused', async () => {
    const reply = await api.send('PUT', '/jobs/v2/bad', undefined, { text: new Uint8Array([0x22, 0xff, 0x22]) })

    expect(reply.body.Message).toContain('not UTF-8')
  })

  it.each([{}, { 'content-length': '100' }])('that breaks off is the caller’s fault, with %j', async (headers) => {
    const failed: unknown[] = []
    const off = api.events.on('requestFailed', ({ error }) => failed.push(error))
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(Buffer.from('{"type":')),
      pull: (controller) => controller.error(Object.assign(new Error('aborted'), { code: 'ECONNRESET' })),
    })

    const response = await api.app.request('/jobs/v2/bad?api-version=2021-04-12', {
      method: 'PUT',
      headers: { authorization: tokenOf(api, 'service'), ...headers },
      body,
      duplex: 'half',
    } as RequestInit)
    off()

    expect(response.status).toBe(400)
    expect(response.headers.get('iothub-errorcode')).toBe('GenericBadRequest')
    expect(failed).toEqual([])
  })

  it('a body over 1 MiB is refused, with and without a length', async () => {
    const text = `{"type":"${'x'.repeat(limits.requestBodyBytes)}"}`

    const streamed = await api.send('PUT', '/jobs/v2/lift/methods/bad', undefined, { text })
    const declared = await api.send('PUT', '/jobs/v2/lift/methods/bad', undefined, {
      text,
      headers: { 'content-length': String(text.length) },
    })

    for (const reply of [streamed, declared]) {
      expect(reply.status).toBe(413)
      expect(reply.headers.get('iothub-errorcode')).toBe('MessageTooLarge')
    }
  })
})

describe('an address', () => {
  it.each([null, '', 'latest', '2016-09-29', '2021-13-40', '2021-02-30', '2021-04-12x'])(
    'api-version %s is refused',
    async (apiVersion) => {
      const reply = await api.send('GET', '/jobs/v2/query', undefined, { apiVersion })

      expect(reply.status).toBe(400)
      expect(reply.headers.get('iothub-errorcode')).toBe('InvalidProtocolVersion')
      expect(reply.body.Message).toContain('expected a date')
    },
  )

  it('that leads nowhere is 404 in the form of every error', async () => {
    const reply = await api.send('GET', '/jobs/v3/x')

    expect(reply.status).toBe(404)
    expect(reply.body.Message).toBe('ErrorCode:GenericNotFound;There is nothing at /jobs/v3/x')
  })

  it('with a wrong method is 405 and says which are right', async () => {
    const reply = await api.send('DELETE', '/jobs/v2/j1')

    expect(reply.status).toBe(405)
    expect(reply.headers.get('allow')).toBe('PUT, GET, HEAD, PATCH')
    expect(reply.headers.get('iothub-errorcode')).toBe('GenericMethodNotAllowed')
    expect(reply.body.Message).toMatch(/^ErrorCode:GenericMethodNotAllowed;DELETE is not allowed/)
  })
})

describe('an error', () => {
  it('carries a tracking id that is in the log line, and a request id', async () => {
    const served: string[] = []
    const off = api.events.on('requestServed', ({ trackingId }) => served.push(trackingId))

    const reply = await api.send('GET', '/jobs/v2/none')
    off()

    const [, hex] =
      /^Tracking ID:([0-9a-f]{32})-G:0-TimeStamp:03\/02\/2026 12:00:00$/.exec(reply.body.ExceptionMessage) ?? []
    expect(reply.headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(reply.headers.get('x-ms-request-id')?.replaceAll('-', '')).toBe(hex)
    expect(served).toEqual([reply.body.ExceptionMessage.replace('Tracking ID:', '')])
  })

  it('of a database that cannot be reached is 503 without its text, and is logged', async () => {
    const lost = connect({ url: 'postgres://nobody@127.0.0.1:1/none', poolSize: 1 })
    const failed: unknown[] = []
    const off = api.events.on('requestFailed', ({ error }) => failed.push(error))
    const app = createApp({ ...api, db: lost.db, hostNames: ['hub.example.net'], continuationKey: Buffer.from('k') })

    const response = await app.request('/jobs/v2/query?api-version=2021-04-12', {
      headers: { authorization: tokenOf(api, 'service') },
    })
    off()
    await lost.close()

    expect(response.status).toBe(503)
    expect(response.headers.get('iothub-errorcode')).toBe('ServiceUnavailable')
    expect(response.headers.get('retry-after')).toBe('1')
    expect(await response.text()).not.toContain('127.0.0.1')
    expect(failed).toHaveLength(1)
  })

  it('that nobody expected is 500 without its text', async () => {
    const broken = {
      ...api,
      clock: { now: (): Date => noon },
      db: Object.create(null),
      hostNames: [],
      continuationKey: Buffer.from('k'),
    }

    const response = await createApp(broken).request('/jobs/v2/query?api-version=2021-04-12', {
      headers: { authorization: tokenOf(api, 'service') },
    })

    expect(response.status).toBe(500)
    expect(await response.json()).toMatchObject({ Message: expect.stringMatching(/^ErrorCode:ServerError;/) })
  })
})

async function codeOf(reply: ReturnType<Api['send']>): Promise<string | null> {
  return (await reply).headers.get('iothub-errorcode')
}

async function jobsInStore() {
  const any = { type: null, status: null }
  return (await listJobs(api.db, any, { limit: 10, after: null, write: JSON.stringify })).items
}
