import { errorCodes } from '@muster/contract'
import { throttleNames } from '@muster/runtime'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'

/** What must hold at every address, and so is asked at each one that the document has. */
let api: Api
let addresses: { readonly path: string; readonly methods: readonly string[] }[]
beforeAll(async () => {
  api = await openApi()
  const { body } = await api.send('GET', '/openapi.json', undefined, { authorization: null, apiVersion: null })
  addresses = Object.entries<object>(body.paths).map(([pattern, item]) => ({
    path: pattern.replaceAll('{stopId}', '1').replaceAll(/{.+?}/g, 'x1'),
    methods: Object.keys(item).map((method) => method.toUpperCase()),
  }))
})
afterAll(() => api[Symbol.asyncDispose]())

const calls = () => addresses.flatMap(({ path, methods }) => methods.map((method) => ({ method, path })))

/** Sends a request to every address, and tells those whose answer is not as expected: an error of this name. */
async function exceptions(
  send: (call: { method: string; path: string }) => ReturnType<Api['send']>,
  expected: { status: number; code: string; retryAfter?: RegExp },
) {
  const all = calls()
  expect(all.length).toBeGreaterThan(20)
  const answers = await Promise.all(
    all.map(async (call) => {
      const { status, headers } = await send(call)
      return { ...call, status, code: headers.get('iothub-errorcode'), retryAfter: headers.get('retry-after') }
    }),
  )
  const isExpected = ({ status, code, retryAfter }: (typeof answers)[number]) =>
    status === expected.status && code === expected.code && (expected.retryAfter ?? /^none$/).test(retryAfter ?? 'none')
  return answers.filter((answer) => !isExpected(answer))
}

const method = { methodName: 'm' }

/** What an address takes that reads a body. */
const goodBodies: Readonly<Record<string, unknown>> = {
  'PUT /jobs/v2/x1': { type: 'scheduleDeviceMethod', cloudToDeviceMethod: method, queryCondition: '*' },
  'PUT /jobs/v2/x1/methods/x1': { cloudToDeviceMethod: method },
  'POST /jobs/v2/x1/pause': {},
  'PATCH /jobs/v2/x1': { priority: 1 },
  'POST /jobs/v2/stop': {},
  'POST /jobs/v2/preview': { queryCondition: '*' },
  'POST /jobs/v2/x1/rerun': { statuses: ['failed'] },
  'POST /jobs/v2/x1/devices/skip': { statuses: ['pending'] },
  'POST /jobs/v2/x1/devices/cancel': { statuses: ['pending'] },
  'POST /jobs/v2/x1/devices/retry': { statuses: ['pending'] },
  'POST /devices/query': { query: 'SELECT * FROM devices' },
  'POST /devices': [{ id: 'x1', importMode: 'create' }],
  'PUT /devices/x1': {},
  'PUT /devices/x1/modules/x1': {},
  'PATCH /twins/x1': { tags: {} },
  'PUT /twins/x1': { tags: {} },
  'PATCH /twins/x1/modules/x1': { tags: {} },
  'PUT /twins/x1/modules/x1': { tags: {} },
  'POST /twins/x1/methods': method,
  'PUT /schedules/x1': {
    every: 60,
    job: { type: 'scheduleDeviceMethod', cloudToDeviceMethod: method, queryCondition: '*' },
  },
  'PUT /webhooks/x1': { url: 'https://1.1.1.1/', secret: 'sixteen-bytes-at-least' },
  'POST /twins/x1/modules/x1/methods': method,
}

const sendGood = (to: Api, { method, path }: { method: string; path: string }) =>
  to.send(method, path, goodBodies[`${method} ${path}`])

/** There are no import and export jobs: nothing is read to say so. The session of a browser is in its cookie. */
const withoutStore = [
  'GET /jobs',
  'POST /jobs/create',
  'GET /jobs/x1',
  'DELETE /jobs/x1',
  'POST /sessions',
  'DELETE /sessions',
]

const namesOf = (found: readonly { method: string; path: string }[]) =>
  found.map(({ method, path }) => `${method} ${path}`).sort()

describe('H11 at every address', () => {
  it.each([
    null,
    '',
    'latest',
    '2016-09-29',
    '2021-13-01',
    '2021-02-30',
    '2021-04-12-beta',
    '2021-04-12%20',
    '20210412',
  ])('api-version %j is refused', async (apiVersion) => {
    const wrong = await exceptions(({ method, path }) => api.send(method, path, undefined, { apiVersion }), {
      status: 400,
      code: 'InvalidProtocolVersion',
    })

    expect(wrong).toEqual([])
  })

  it('a request without a token is refused, whatever else is wrong with it', async () => {
    const options = { authorization: null, apiVersion: null }
    const wrong = await exceptions(({ method, path }) => api.send(method, path, undefined, options), {
      status: 401,
      code: 'IotHubUnauthorized',
    })

    expect(wrong).toEqual([])
  })

  it('a method that it lacks is refused with those that it has', async () => {
    for (const { path, methods } of addresses) {
      const others = ['GET', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS'].filter((method) => !methods.includes(method))
      for (const method of others) {
        const { status, headers } = await api.send(method, path)

        // A pattern beside it, such as {jobId} beside "query", may have it.
        if (status !== 405) continue
        const allowed = (headers.get('allow') ?? '').split(', ')
        expect(allowed, `${method} ${path}`).toEqual(expect.arrayContaining([...methods]))
        expect(headers.get('iothub-errorcode')).toBe('GenericMethodNotAllowed')
      }
    }
    expect((await api.send('OPTIONS', '/twins/x1')).status).toBe(405)
  })

  it('HEAD is answered as GET is, without a body', async () => {
    for (const { method, path } of calls().filter(({ method }) => method === 'GET')) {
      const [get, head] = [await api.send(method, path), await api.send('HEAD', path)]

      expect([head.status, head.body, head.headers.get('content-type')], path).toEqual([
        get.status,
        undefined,
        get.headers.get('content-type'),
      ])
    }
  })

  it('H12 an error has its name in the header, and its name and a tracking id in the body and in the log', async () => {
    const refused: { code: string; trackingId: string }[] = []
    const off = api.events.on('requestRefused', (fields) => refused.push(fields))

    for (const { method, path } of calls()) {
      const text = method === 'GET' ? {} : { text: '{"a":' }
      const { status, headers, body } = await api.send(method, path, undefined, text)
      if (status === 200 || status === 204) continue
      const code = headers.get('iothub-errorcode') ?? ''
      const { name, trackingId } = path.endsWith('/methods') ? ofNested(body) : ofEnvelope(body)

      expect({ name, status }, `${method} ${path}`).toEqual({ name: code, status: statusOf(code) })
      expect(refused.at(-1)).toMatchObject({ code, trackingId })
      expect(headers.get('x-ms-request-id')?.replaceAll('-', '')).toBe(trackingId.slice(0, 32))
    }
    off()
    expect(refused.length).toBeGreaterThan(15)
  })
})

describe('at every address, a good request is answered', () => {
  it('H13 429 when the rate of its account is used up', async () => {
    const throttle = JSON.stringify(Object.fromEntries(throttleNames.map((name) => [name, '1/min'])))
    await using own = await openApi({ throttle })
    for (const call of calls()) await sendGood(own, call)

    const expected = { status: 429, code: 'ThrottlingException', retryAfter: /^([1-9]|[1-5]\d|60)$/ }
    const wrong = await exceptions((call) => sendGood(own, call), expected)

    expect(wrong).toEqual([])
  })

  it('503 with Retry-After while Postgres is lost', async () => {
    await using own = await openApi()
    // The policies are kept, so that the lack is met behind them.
    await own.send('GET', '/jobs')
    await own.loseDatabase()

    const wrong = await exceptions((call) => sendGood(own, call), {
      status: 503,
      code: 'ServiceUnavailable',
      retryAfter: /^1$/,
    })

    expect(namesOf(wrong)).toEqual(withoutStore.toSorted())
  })

  it('C5 503 with Retry-After while Postgres is read-only and it would write, and 500 nowhere', async () => {
    await using own = await openApi()
    await own.send('GET', '/jobs')
    await own.makeDatabaseReadOnly()

    const others = await exceptions((call) => sendGood(own, call), {
      status: 503,
      code: 'ServiceUnavailable',
      retryAfter: /^1$/,
    })

    expect(others.filter(({ status }) => status >= 500)).toEqual([])
    // The others read, or find nothing to change.
    const writing = [
      'PUT /devices/x1',
      'POST /devices',
      'PUT /jobs/v2/x1',
      'PUT /jobs/v2/x1/methods/x1',
      'PUT /schedules/x1',
      'PUT /webhooks/x1',
    ]
    expect(namesOf(others).filter((name) => writing.includes(name))).toEqual([])
  })

  it('500 without inner texts when the hub meets a fault of its own', async () => {
    await using own = await openApi()
    for (const table of ['devices', 'twins', 'sessions', 'jobs', 'job_events', 'schedules', 'stops', 'webhooks']) {
      await own.db.execute(`alter table ${table} rename to ${table}_away`)
    }
    const failed: unknown[] = []
    own.events.on('requestFailed', ({ error }) => failed.push(error))
    const bodies: string[] = []

    const wrong = await exceptions(
      async (call) => {
        const reply = await sendGood(own, call)
        bodies.push(JSON.stringify(reply.body))
        return reply
      },
      { status: 500, code: 'ServerError' },
    )

    expect(namesOf(wrong)).toEqual(withoutStore.toSorted())
    expect(failed).toHaveLength(calls().length - withoutStore.length)
    expect(bodies.filter((text) => /relation|select|insert|update|away/i.test(text))).toEqual([])
  })
})

interface ErrorBody {
  readonly Message: string
  readonly ExceptionMessage: string
}

function ofEnvelope({ Message, ExceptionMessage }: ErrorBody) {
  const [, name] = /^ErrorCode:(\w+);/.exec(Message) ?? []
  return { name, trackingId: ExceptionMessage.replace('Tracking ID:', '') }
}

/** As direct methods have it: JSON inside a text, with the number in the place of the name. */
function ofNested({ Message, ExceptionMessage }: ErrorBody) {
  expect(ExceptionMessage).toBe('')
  const { errorCode, trackingId } = JSON.parse(Message)
  return { name: Object.entries(errorCodes).find(([, number]) => number === errorCode)?.[0], trackingId }
}

function statusOf(name: string): number {
  return Number(String(Object.entries(errorCodes).find(([known]) => known === name)?.[1]).slice(0, 3))
}
