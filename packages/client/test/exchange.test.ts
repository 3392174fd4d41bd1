import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { createClient, MusterError } from '../src/index.ts'
import { startAnswering } from './answering.ts'

function refuse(response: ServerResponse, status: number, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { 'iothub-errorcode': 'ThrottlingException', ...headers })
  response.end('{"Message":"ErrorCode:ThrottlingException;too many, too fast","ExceptionMessage":"Tracking ID:abc-1"}')
}

const answer = (response: ServerResponse) => response.end('{"jobId":"j1"}')

describe('a call', () => {
  it('that is refused for its rate is sent again, whatever it does', async () => {
    await using server = await startAnswering((response, index) =>
      index < 2 ? refuse(response, 429, { 'retry-after': '0' }) : answer(response),
    )

    expect(await server.client.jobs.cancel('j1')).toEqual({ jobId: 'j1' })
    expect(server.requests).toHaveLength(3)
  })

  it('that is refused again and again fails with the reason after six tries', async () => {
    await using server = await startAnswering((response) => refuse(response, 429, { 'retry-after': '0' }))

    await expect(server.client.jobs.get('j1')).rejects.toMatchObject({
      name: 'MusterError',
      code: 'ThrottlingException',
      status: 429,
      message: 'too many, too fast',
      trackingId: 'abc-1',
      retryAfterMs: 0,
    })
    expect(server.requests).toHaveLength(6)
  })

  it('that a hub without its stores refuses is sent again only when it changes nothing', async () => {
    const unavailable = (response: ServerResponse, index: number) =>
      index % 2 === 0 ? refuse(response, 503, { 'retry-after': '0' }) : answer(response)
    await using server = await startAnswering(unavailable)

    expect(await server.client.jobs.get('j1')).toEqual({ jobId: 'j1' })
    await expect(server.client.jobs.cancel('j1')).rejects.toMatchObject({ status: 503 })
  })

  it('without an answer in its time fails, also when only the end of the answer is missing', async () => {
    await using silent = await startAnswering(() => undefined, { timeoutMs: 50 })
    await using half = await startAnswering((response) => response.write('{"jobId":'), { timeoutMs: 50 })

    for (const { client } of [silent, half]) {
      await expect(client.jobs.get('j1')).rejects.toMatchObject({ code: 'CallTimedOut', status: null })
    }
  })

  it('has the longest time that a timer can have when its own is longer', async () => {
    await using server = await startAnswering(answer, { timeoutMs: 3_000_000_000 })

    expect(await server.client.jobs.get('j1')).toEqual({ jobId: 'j1' })
  })

  it('ends with the reason of the signal that ends it', async () => {
    await using server = await startAnswering(() => undefined)
    const stop = new AbortController()
    const call = server.client.jobs.get('j1', { signal: stop.signal })
    stop.abort(new Error('enough'))

    await expect(call).rejects.toThrow('enough')
  })

  it('to a hub that is not there says which, and why', async () => {
    const client = createClient({ url: 'http://127.0.0.1:3', token: 'secret' })

    await expect(client.jobs.get('j1')).rejects.toThrow(/^http:\/\/127\.0\.0\.1:3 cannot be reached: .*ECONNREFUSED/)
    await expect(client.jobs.get('j1')).rejects.toBeInstanceOf(MusterError)
  })

  it('that is answered with anything but JSON says so', async () => {
    await using server = await startAnswering((response) => response.end('<html>'))

    await expect(server.client.jobs.get('j1')).rejects.toMatchObject({ code: 'UnknownAnswer' })
  })

  it('tells the error of a direct method, whose text is JSON in a string', async () => {
    await using server = await startAnswering((response) => {
      response.writeHead(404, { 'iothub-errorcode': 'DeviceNotOnline' })
      response.end(JSON.stringify({ Message: '{"errorCode":404103,"trackingId":"t-1","message":"not there"}' }))
    })

    await expect(server.client.methods.invoke('d1', { methodName: 'reboot' })).rejects.toMatchObject({
      code: 'DeviceNotOnline',
      message: 'not there',
      trackingId: 't-1',
    })
  })

  it('is not sent on to another address, because that would give away its token', async () => {
    await using server = await startAnswering((response) => {
      response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end()
    })

    await expect(server.client.jobs.get('j1')).rejects.toMatchObject({ code: 'HubUnreachable' })
  })
})

describe('a client', () => {
  it('opens and closes the session of a browser, and without a token leaves it to the cookie', async () => {
    await using server = await startAnswering((response) => response.end('{"account":"policy:service"}'))
    const browser = createClient({ url: server.client.url, session: true })

    expect(await server.client.sessions.open()).toEqual({ account: 'policy:service' })
    await browser.jobs.get('j1')
    await browser.sessions.close()

    expect(
      server.requests.map(({ method, url, headers }) => [method, url?.split('?')[0], headers.authorization]),
    ).toEqual([
      ['POST', '/sessions', 'Bearer secret'],
      ['GET', '/jobs/v2/j1', undefined],
      ['DELETE', '/sessions', undefined],
    ])
  })

  it('needs the connection string of a service, and never shows its key', () => {
    const connectionString = 'HostName=localhost;DeviceId=d1;SharedAccessKey=VerySecret00'

    expect(() => createClient({ connectionString })).toThrow(
      /^The connection string has no SharedAccessKeyName(?!.*Very)/,
    )
  })
})
