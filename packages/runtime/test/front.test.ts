import { X509Certificate } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent as HttpAgent, get as httpGet, type IncomingMessage, request } from 'node:http'
import { Agent, get as httpsGet } from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import { loadTls, type Tls } from '../src/front/certificates.ts'
import { openFront } from '../src/front/front.ts'
import { listen } from '../src/front/listen.ts'
import { type LiveTls, openTls } from '../src/front/live-tls.ts'
import { makeAuthority } from '../src/front/local-authority.ts'

let dataDir = ''
let live: LiveTls
let tls: Tls
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'muster-front-'))
  const load = () => loadTls({ tls: null, dataDir, hostNames: ['localhost'] }, new Date())
  live = await openTls(load, { everyMs: 60_000, onLoaded: () => {}, onRefused: () => {} })
  tls = live.current
})
afterAll(async () => {
  live[Symbol.dispose]()
  await rm(dataDir, { recursive: true })
})

const freePorts = { bind: '::', httpsPort: 0, httpPort: 0, httpHost: '127.0.0.1', trustedProxies: ['127.0.0.1'] }
const soon = () => AbortSignal.timeout(2000)

async function opened(prepare: (front: ReturnType<typeof openFront>) => void = () => {}) {
  const page = ({ request }: { request: Request }) =>
    new URL(request.url).pathname === '/health/live' ? Promise.resolve(new Response('live')) : null
  const front = openFront({ config: freePorts, tls: live, page, onRefused: () => {} })
  prepare(front)
  const ports = await front.listen()
  onTestFinished(() => front.close(AbortSignal.abort()))
  return { front, http: ports.http, https: ports.https ?? 0 }
}

async function textOf(response: IncomingMessage): Promise<string> {
  return Buffer.concat(await response.toArray()).toString()
}

async function fetchTls(port: number, path: string, host = 'localhost') {
  const sent = httpsGet({ host, port, path, ca: tls.ca, servername: 'localhost' })
  const [response] = await once(sent, 'response')
  return { status: response.statusCode, body: await textOf(response) }
}

it('serves the API on both ports', async () => {
  const { http, https } = await opened((front) => front.serve((req) => new Response(new URL(req.url).pathname)))

  expect(await (await fetch(`http://127.0.0.1:${http}/twins/a`)).text()).toBe('/twins/a')
  expect(await fetchTls(https, '/twins/a')).toEqual({ status: 200, body: '/twins/a' })
})

it('tells the API where a request comes from, also behind a balancer that is trusted', async () => {
  const { http } = await opened((front) => front.serve((_, { clientAddress }) => new Response(clientAddress)))
  const fetched = async (headers: Record<string, string>) =>
    (await fetch(`http://127.0.0.1:${http}/`, { headers })).text()

  expect(await fetched({})).toBe('127.0.0.1')
  expect(await fetched({ 'x-forwarded-for': '198.51.100.1, 203.0.113.9' })).toBe('203.0.113.9')
})

it('cuts the connection of a caller that reads no more, and cancels the body of its answer', async () => {
  const body = new EventEmitter()
  const cancelled = once(body, 'cancelled')
  const { http } = await opened((front) =>
    front.serve((_, { cut }) => {
      body.once('cut', cut)
      const pull = (controller: ReadableStreamDefaultController) => controller.enqueue(Buffer.alloc(2 ** 20))
      return new Response(new ReadableStream({ pull, cancel: () => void body.emit('cancelled') }, { highWaterMark: 0 }))
    }),
  )
  const [response] = await once(httpGet(`http://127.0.0.1:${http}/`), 'response')

  body.emit('cut')

  await cancelled
  await expect(textOf(response)).rejects.toThrow('aborted')
})

it('serves HTTPS over IPv4 and IPv6', async () => {
  const { https } = await opened((front) => front.serve(() => new Response('here')))

  expect((await fetchTls(https, '/', '127.0.0.1')).body).toBe('here')
  expect((await fetchTls(https, '/', '::1')).body).toBe('here')
})

it('serves HTTPS on the one address that it is bound to', async () => {
  const front = openFront({
    config: { ...freePorts, bind: '127.0.0.1' },
    tls: live,
    page: () => null,
    onRefused: () => {},
  })
  const { https } = await front.listen()
  onTestFinished(() => front.close(AbortSignal.abort()))

  expect((await fetchTls(https ?? 0, '/', '127.0.0.1')).status).toBe(404)
  await expect(fetchTls(https ?? 0, '/', '::1')).rejects.toThrow('ECONNREFUSED')
})

it('names the address that is none of this machine, and the variable that sets it', async () => {
  const front = openFront({
    config: { ...freePorts, bind: '192.0.2.1' },
    tls: live,
    page: () => null,
    onRefused: () => {},
  })
  onTestFinished(() => front.close(AbortSignal.abort()))

  await expect(front.listen()).rejects.toThrow(
    'port 0 cannot be opened on 192.0.2.1, which is no address of this machine: set MUSTER_BIND or MUSTER_HTTPS_PORT',
  )
})

it('names the host that no address is known of, and the variable that sets it', async () => {
  const front = openFront({
    config: { ...freePorts, httpHost: 'no host' },
    tls: live,
    page: () => null,
    onRefused: () => {},
  })
  onTestFinished(() => front.close(AbortSignal.abort()))

  await expect(front.listen()).rejects.toThrow(
    /^port 0 cannot be opened on no host \([A-Z_]+\): set MUSTER_HTTP_HOST or MUSTER_HTTP_PORT$/,
  )
})

it("shows the operator's pages on the plain port only", async () => {
  const { http, https } = await opened((front) => front.serve(() => new Response('api')))

  expect(await (await fetch(`http://127.0.0.1:${http}/health/live`)).text()).toBe('live')
  expect((await fetchTls(https, '/health/live')).body).toBe('api')
})

it('answers 404 in a process that has no API', async () => {
  const { http } = await opened()

  expect((await fetch(`http://127.0.0.1:${http}/twins/a`)).status).toBe(404)
})

it('hands an upgrade to the path it was asked for, with or without a query, escapes and a slash', async () => {
  const { http } = await opened((front) =>
    front.upgrade('/$iothub/websocket', (_, socket) => socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n')),
  )

  expect(await upgradeStatus(http, '/$iothub/websocket')).toBe(101)
  expect(await upgradeStatus(http, '/$iothub/websocket?iothub-no-client-cert=true')).toBe(101)
  expect(await upgradeStatus(http, '/%24iothub/websocket')).toBe(101)
  expect(await upgradeStatus(http, '/%24iothub%2fwebsocket/?x=/')).toBe(101)
  for (const other of ['/$iothub/websocket/more', '/$iothub/websocket//', '/%2524iothub/websocket', '/%zz', '/']) {
    expect(await upgradeStatus(http, other)).toBe(404)
  }
})

it('H4 asks for the certificate of a client, takes one that nobody has signed, and hands it to the upgrade', async () => {
  const shown: string[] = []
  const { https } = await opened((front) => {
    front.serve(() => new Response('served'))
    front.upgrade('/$iothub/websocket', (request, socket) => {
      shown.push((request.socket as TLSSocket).getPeerX509Certificate()?.fingerprint256 ?? 'none')
      socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n')
    })
  })
  const own = await makeAuthority(new Date())
  const headers = { connection: 'Upgrade', upgrade: 'websocket' }

  for (const client of [own, {}]) {
    const to = { host: 'localhost', port: https, ca: tls.ca, agent: false, ...client }
    const [response] = await once(httpsGet({ ...to, path: '/twins/a' }), 'response')
    expect([response.statusCode, await textOf(response)]).toEqual([200, 'served'])
    const [upgraded] = await once(httpsGet({ ...to, path: '/$iothub/websocket', headers }), 'response')
    expect(upgraded.statusCode).toBe(101)
  }

  expect(shown).toEqual([new X509Certificate(own.cert).fingerprint256, 'none'])
})

async function upgradeStatus(port: number, path: string): Promise<number | undefined> {
  const sent = request({ port, path, host: '127.0.0.1', headers: { connection: 'Upgrade', upgrade: 'websocket' } })
  sent.end()
  const [response] = await Promise.race([once(sent, 'upgrade'), once(sent, 'response')])
  return response.statusCode
}

it('lets a request under way finish when it closes', async () => {
  const requests = new EventEmitter()
  const { front, http } = await opened((open) =>
    open.serve(async () => {
      requests.emit('arrived')
      await once(requests, 'released')
      return new Response('finished')
    }),
  )
  const arrived = once(requests, 'arrived')
  const pending = fetch(`http://127.0.0.1:${http}/`)
  await arrived

  const closed = front.close(soon())
  requests.emit('released')

  expect(await (await pending).text()).toBe('finished')
  await closed
})

it('closes without waiting for idle keep-alive connections', async () => {
  const { front, http, https } = await opened((open) => open.serve(() => new Response('idle')))
  for (const [get, agent, port] of [
    [httpGet, new HttpAgent({ keepAlive: true }), http],
    [httpsGet, new Agent({ keepAlive: true, ca: tls.ca }), https],
  ] as const) {
    const [response] = await once(get({ host: 'localhost', port, agent, family: 4 }), 'response')
    await textOf(response)
  }

  const deadline = soon()
  await front.close(deadline)

  expect(deadline.aborted).toBe(false)
})

it('cuts what is left at the deadline, upgraded connections included', async () => {
  const requests = new EventEmitter()
  const { front, http } = await opened((open) => {
    open.serve(() => {
      requests.emit('arrived')
      return new Promise<Response>(() => {})
    })
    open.upgrade('/$iothub/websocket', (_, socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'))
  })
  const arrived = once(requests, 'arrived')
  const pending = expect(fetch(`http://127.0.0.1:${http}/`)).rejects.toThrow()
  await Promise.all([arrived, upgradeStatus(http, '/$iothub/websocket')])

  await front.close(AbortSignal.abort())

  await pending
})

it('names the port that is in use and the variable that sets it', async () => {
  const port = await occupied()
  const front = openFront({
    config: { ...freePorts, httpPort: port },
    tls: live,
    page: () => null,
    onRefused: () => {},
  })

  await expect(front.listen()).rejects.toThrow(
    `port ${port} is already in use: stop the program that holds it, or set MUSTER_HTTP_PORT`,
  )
})

it('takes the unprivileged port when 443 needs privileges', async () => {
  const server = createServer()
  onTestFinished(() => void server.close())
  // As the kernel answers a process without privileges: the tests may run as root.
  const refusal = Object.assign(new Error('permission denied'), { code: 'EACCES' })
  vi.spyOn(server, 'listen').mockImplementationOnce(() => {
    process.nextTick(() => server.emit('error', refusal))
    return server
  })

  const port = await listen(server, { name: 'MUSTER_HTTPS_PORT', port: 443, unprivileged: 0 })

  expect(port).toBeGreaterThan(1023)
})

async function occupied(): Promise<number> {
  const server = createServer()
  onTestFinished(() => void server.close())
  return listen(server, { name: 'MUSTER_HTTP_PORT', port: 0, host: { name: 'MUSTER_HTTP_HOST', address: '127.0.0.1' } })
}
