import { errorCodes } from '@muster/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from './api.ts'

/** What must hold at every address, and so is asked at each one that the document has. */
let api: Api
let addresses: { readonly path: string; readonly methods: readonly string[] }[]
beforeAll(async () => {
  api = await openApi()
  const { body } = await api.send('GET', '/openapi.json', undefined, { authorization: null, apiVersion: null })
  addresses = Object.entries<object>(body.paths).map(([pattern, item]) => ({
    path: pattern.replaceAll(/{.+?}/g, 'x1'),
    methods: Object.keys(item).map((method) => method.toUpperCase()),
  }))
})
afterAll(() => api[Symbol.asyncDispose]())

const calls = () => addresses.flatMap(({ path, methods }) => methods.map((method) => ({ method, path })))

/** Sends a request to every address, and tells those whose answer is not as expected. */
async function exceptions(
  send: (call: { method: string; path: string }) => ReturnType<Api['send']>,
  expected: { status: number; code: string },
) {
  const all = calls()
  expect(all.length).toBeGreaterThan(20)
  const answers = await Promise.all(
    all.map(async (call) => {
      const { status, headers } = await send(call)
      return { ...call, status, code: headers.get('iothub-errorcode') }
    }),
  )
  return answers.filter(({ status, code }) => status !== expected.status || code !== expected.code)
}

describe('H11 at every address', () => {
  it.each([null, '', 'latest', '2016-09-29', '2021-13-01', '2021-04-12-beta', '2021-04-12%20', '20210412'])(
    'api-version %j is refused',
    async (apiVersion) => {
      const wrong = await exceptions(({ method, path }) => api.send(method, path, undefined, { apiVersion }), {
        status: 400,
        code: 'InvalidProtocolVersion',
      })

      expect(wrong).toEqual([])
    },
  )

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
        expect(headers.get('iothub-errorcode')).toBe('MethodNotAllowed')
      }
    }
    expect((await api.send('OPTIONS', '/twins/x1')).status).toBe(405)
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
