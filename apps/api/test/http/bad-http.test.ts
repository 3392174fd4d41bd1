import { once } from 'node:events'
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type LiveApi, startLiveApi } from '../live-api.ts'
import { type Line, speak } from './raw-http.ts'

let api: LiveApi
beforeAll(async () => {
  api = await startLiveApi()
})
afterAll(() => api[Symbol.asyncDispose]())

const lines = ['plain', 'tls'] as const
const lineOf = (name: (typeof lines)[number]): Line =>
  name === 'tls' ? { port: api.https, ca: api.ca } : { port: api.http, ca: null }

const address = '/jobs/v2/bad?api-version=2021-04-12'
const head = (start: string, ...headers: string[]) =>
  [start, 'Host: localhost', `Authorization: ${api.token}`, ...headers, '', ''].join('\r\n')
const put = (...headers: string[]) => head(`PUT ${address} HTTP/1.1`, ...headers)
const patch = (...headers: string[]) => head('PATCH /twins/bad?api-version=2021-04-12 HTTP/1.1', ...headers)
const get = (target: string, ...headers: string[]) => head(`GET ${target} HTTP/1.1`, ...headers)
const list = '/jobs/v2/query?api-version=2021-04-12'
const last = 'Connection: close'

/** Another client, who must not notice anything. */
async function expectServed(): Promise<void> {
  const { statuses } = await speak(lineOf('plain'), [get(list, last)])
  expect(statuses).toEqual([200])
}

describe.each(lines)('H5 over the %s port', (name) => {
  it.each<[string, () => (string | Buffer)[], number[]]>([
    ['JSON that breaks off', () => [put('Content-Length: 8', last), '{"type":'], [400]],
    ['a body in chunks over the limit', () => [patch('Transfer-Encoding: chunked', last), ...chunks(2_000_000)], [413]],
    ['a length over the limit', () => [patch('Content-Length: 2000000', last), Buffer.alloc(2_000_000, 32)], [413]],
    ['a length that is none', () => [put('Content-Length: many', last)], [400]],
    ['a length below zero', () => [put('Content-Length: -1', last)], [400]],
    ['more bytes than its length', () => [put('Content-Length: 2'), '{}{}{}{}\r\n\r\n'], [400]],
    ['two lengths', () => [put('Content-Length: 2', 'Content-Length: 3', last), '{}'], [400]],
    ['a length and chunks', () => [put('Content-Length: 2', 'Transfer-Encoding: chunked', last), '{}'], [400]],
    ['chunks that are not last', () => [put('Transfer-Encoding: chunked, gzip', last), '0\r\n\r\n'], [400]],
    ['a size of a chunk that is none', () => [put('Transfer-Encoding: chunked', last), 'zz\r\n{}\r\n'], [400]],
    [
      'endless extensions of a chunk',
      () => [put('Transfer-Encoding: chunked', last), `1;${'a'.repeat(99_999)}`],
      [413],
    ],
    ['endless headers', () => [put(...Array(3_000).fill('X-Filler: filler')), ''], [431]],
    ['an endless header', () => [put(`X-Filler: ${'a'.repeat(100_000)}`), ''], [431]],
    ['an endless request line', () => [get(`/${'a'.repeat(100_000)}`)], [431]],
    ['a method that is none', () => [head(`FETCH ${address} HTTP/1.1`, last)], [400]],
    ['a method that nobody needs', () => [head(`PROPFIND ${address} HTTP/1.1`, last)], [405]],
    ['a line that is no request', () => ['hello\r\n\r\n'], [400]],
    ['bytes of TLS, or noise', () => [Buffer.from([0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3]), Buffer.alloc(300)], [400]],
    ['no host', () => [`GET ${list} HTTP/1.1\r\nAuthorization: ${api.token}\r\n\r\n`], [400]],
    ['a host that is none', () => [`GET / HTTP/1.1\r\nHost: a b\\c\r\n${last}\r\n\r\n`], [400]],
    ['a host of which no address can be made', () => [`GET ${list} HTTP/1.1\r\nHost: a.1\r\n${last}\r\n\r\n`], [400]],
    ['a version to come', () => [`GET ${list} HTTP/9.9\r\nHost: localhost\r\n\r\n`], [400]],
    ['a zero byte in a header', () => [get(list, 'X-Filler: a\0b', last)], [400]],
    ['a line feed alone', () => [`GET ${list} HTTP/1.1\nHost: localhost\n${last}\n\n`], [400]],
    ['a header with a space before the colon', () => [get(list, 'X-Filler : a', last)], [400]],
    ['an escape that is none', () => [get('/jobs/v2/%zz?api-version=2021-04-12', last)], [404]],
    ['an escape that is no character', () => [get('/jobs/v2/%ff%fe?api-version=2021-04-12', last)], [404]],
    ['an escaped zero byte', () => [get('/twins/%00?api-version=2021-04-12', last)], [400]],
    ['an escape that is none in a query', () => [get('/jobs/v2/query?api-version=%zz', last)], [400]],
    ['dots that climb', () => [get('/../../etc/passwd', last)], [400]],
    ['dots that climb to a device', () => [get('/devices/d/modules/..?api-version=2021-04-12', last)], [400]],
    ['escaped dots', () => [get('/devices/d/modules/%2E%2e/?api-version=2021-04-12', last)], [400]],
    ['a target with a scheme', () => [get(`http://elsewhere${list}`, last)], [200]],
    ['a target that is only a star', () => [head('OPTIONS * HTTP/1.1', last)], [400]],
    ['an expectation', () => [put('Expect: 100-continue', 'Content-Length: 2', last), '{}'], [100, 400]],
    ['an expectation that nobody can meet', () => [put('Expect: miracles', 'Content-Length: 2', last), '{}'], [417]],
    ['requests before the answers', () => [get(list), get(list), get('/none'), get(list, last)], [200, 200, 404, 200]],
    ['an upgrade that nobody offers', () => [get(list, 'Connection: Upgrade', 'Upgrade: tea')], [400]],
  ])('%s: answered, and closed', async (_, parts, statuses) => {
    const heard = await speak(lineOf(name), parts())

    expect({ statuses: heard.statuses, isClosed: heard.isClosed }).toEqual({ statuses, isClosed: true })
    await expectServed()
  })

  it.each<[string, () => string]>([
    ['dots that climb', () => get('/devices/d/modules/..?api-version=2021-04-12', last)],
    ['escaped dots', () => get('/twins/%2e?api-version=2021-04-12', last)],
    ['dots that climb to a page of the operator', () => get('/twins/../metrics', last)],
    ['a host of which no address can be made', () => `GET ${list} HTTP/1.1\r\nHost: a.1\r\n${last}\r\n\r\n`],
  ])('H12 %s: refused in the form of every error', async (_, request) => {
    const { text } = await speak(lineOf(name), [request()])

    const [headers = '', body = ''] = text.split('\r\n\r\n')
    expect(headers).toMatch(/^HTTP\/1.1 400 /)
    expect(headers).toMatch(/^iothub-errorcode: GenericBadRequest\r$/im)
    expect(headers).toMatch(/^x-ms-request-id: [0-9a-f-]{36}\r$/im)
    expect(JSON.parse(body)).toEqual({
      Message: expect.stringMatching(/^ErrorCode:GenericBadRequest;The (path|Host) of the request /),
      ExceptionMessage: expect.stringMatching(/^Tracking ID:/),
    })
  })

  it.each<[string, () => string[], number]>([
    ['a body that is too large', () => [patch('Content-Length: 2000000'), '{'], 413],
    ['a body in chunks that is too large', () => [patch('Transfer-Encoding: chunked'), ...endless(2_000_000)], 413],
    ['a body without a token', () => [`PATCH /twins/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{`], 401],
  ])('H19 %s, of which more is to come: the answer says that the connection ends', async (_, parts, status) => {
    const heard = await speak(lineOf(name), parts())

    expect(heard.statuses).toEqual([status])
    expect(heard.text).toMatch(/^connection: close\r$/im)
    expect(heard.isClosed).toBe(true)
  })

  it.each(['with its length', 'in chunks'])(
    'H19 a body %s that is too large is answered, and the connection serves on',
    async (how) => {
      const body = Buffer.alloc(3_000_000, 'x')
      const headers = how === 'in chunks' ? {} : { 'content-length': body.byteLength }
      using connection = oneConnection(name)

      for (let round = 0; round < 10; round += 1) {
        expect(await connection.statusOf('PATCH', '/twins/bad?api-version=2021-04-12', { headers, body })).toBe(413)
        expect(await connection.statusOf('GET', list)).toBe(200)
      }
    },
  )

  it.each(['with its length', 'in chunks'])('H19 a body %s that is too large is answered, and closed', async (how) => {
    const body = Buffer.alloc(5_000_000, 'x')
    const length = how === 'in chunks' ? {} : { 'content-length': body.byteLength }
    const headers = { ...length, connection: 'close' }
    using connection = oneConnection(name)

    for (let round = 0; round < 5; round += 1) {
      expect(await connection.statusOf('PATCH', '/twins/bad?api-version=2021-04-12', { headers, body })).toBe(413)
    }
  })

  it('a good body in chunks, without a length, is taken as any other', async () => {
    const body = JSON.stringify({
      type: 'scheduleUpdateTwin',
      queryCondition: '*',
      updateTwin: { etag: '*', tags: {} },
    })
    const pieces = body.match(/.{1,7}/g) ?? []
    const request = head(
      `PUT /jobs/v2/chunks-${name}?api-version=2021-04-12 HTTP/1.1`,
      'Transfer-Encoding: chunked',
      last,
    )

    const { statuses } = await speak(lineOf(name), [
      request,
      ...pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`),
      '0\r\n\r\n',
    ])

    expect(statuses).toEqual([200])
  })

  it.each<[string, () => string[]]>([
    ['a tunnel', () => [head('CONNECT elsewhere:443 HTTP/1.1')]],
    ['a body that ends before its length', () => [put('Content-Length: 100'), '{"type":']],
    ['a request that ends in its headers', () => [`PUT ${address} HTTP/1.1\r\nHost: local`]],
    ['nothing', () => []],
  ])('%s: closed with the client', async (_, parts) => {
    const heard = await speak(lineOf(name), parts(), { halfClose: true })

    expect(heard.isClosed).toBe(true)
    await expectServed()
  })

  it('a client that hangs up at once, five hundred times, disturbs nobody', async () => {
    const parts = put('Content-Length: 100000')
    await Promise.all(
      Array.from({ length: 500 }, async (_, index) => {
        const socket = connect(lineOf(name).port, '127.0.0.1').on('error', () => {})
        await once(socket, 'connect')
        socket.write(parts.slice(0, index))
        socket.resetAndDestroy()
      }),
    )

    await expectServed()
  })

  it('H7 five thousand requests before an answer are not all held', async () => {
    const heard = await speak(lineOf(name), Array(5_000).fill(get(list)))

    expect(heard.statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(1_000)
    expect(heard.isClosed).toBe(true)
    await expectServed()
  })
})

/** A client of the platform, whose requests all go over one connection while that is kept alive. */
function oneConnection(name: (typeof lines)[number]) {
  const agent = new (name === 'tls' ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: 1 })
  const { port, ca } = lineOf(name)
  const to = { host: 'localhost', port, agent, ...(ca === null ? {} : { ca }) }
  return {
    async statusOf(
      method: string,
      path: string,
      { headers = {}, body = Buffer.alloc(0) }: { headers?: OutgoingHttpHeaders; body?: Buffer } = {},
    ): Promise<number | undefined> {
      const all = { authorization: api.token, ...headers }
      const sent = (name === 'tls' ? httpsRequest : httpRequest)({ ...to, method, path, headers: all })
      sent.end(body)
      const [response]: IncomingMessage[] = await once(sent, 'response')
      await once(response?.resume() ?? sent, 'end')
      return response?.statusCode
    },
    [Symbol.dispose]: () => agent.destroy(),
  }
}

/** Chunks without a last one. */
function* endless(bytes: number): Generator<string> {
  for (let sent = 0; sent < bytes; sent += 16_000) yield `3e80\r\n${' '.repeat(16_000)}\r\n`
}

function* chunks(bytes: number): Generator<string> {
  yield* endless(bytes)
  yield '0\r\n\r\n'
}

/** Sends the head, and then a byte now and then, for as long as anybody listens. */
async function* byDrops(text: string, drop: string): AsyncGenerator<string> {
  yield text
  for (;;) {
    await setTimeout(500)
    yield drop
  }
}

it('H6 who sends by drops, or nothing, is cut in time, and all others are served meanwhile', async () => {
  const slow = lines.flatMap((name) =>
    Array.from({ length: 20 }, () => [
      speak(lineOf(name), byDrops(`PUT ${address} HTTP/1.1\r\nHost: localhost\r\nX-A: `, 'a'), { waitMs: 50_000 }),
      speak(lineOf(name), byDrops(put('Content-Length: 100000'), ' '), { waitMs: 50_000 }),
      speak(lineOf(name), byDrops(put('Transfer-Encoding: chunked'), '1\r\n \r\n'), { waitMs: 50_000 }),
      speak(lineOf(name), [], { waitMs: 50_000 }),
    ]),
  )
  const all = Promise.all(slow.flat())
  let isOver = false
  void all.then(() => {
    isOver = true
  })
  while (!isOver) {
    await expectServed()
    await setTimeout(200)
  }

  expect((await all).filter(({ isClosed }) => !isClosed)).toEqual([])
}, 58_000)
