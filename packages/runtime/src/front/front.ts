import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { Socket } from 'node:net'
import type { Duplex, Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { Server as TlsServer } from 'node:tls'
import { getRequestListener } from '@hono/node-server'
import type { Config } from '../config/config.ts'
import { listen } from './listen.ts'
import { type LiveTls, tlsOptions } from './live-tls.ts'
import { trackConnections } from './open-connections.ts'

/** The listening HTTP sockets of this process, shared by its roles. */
export interface Front {
  /** The service API: on the HTTPS port and on the plain HTTP port. One role of the process serves. */
  serve(api: Api): void
  /**
   * WebSocket upgrades, on both ports, whose path is `path`, percent-encoded or not; a slash and a query string may follow. On
   * the HTTPS port the socket is a `TLSSocket`, and has the certificate of a client that has shown one: whether it is trusted is
   * for the caller to say.
   */
  upgrade(path: string, accept: AcceptUpgrade): void
  /** For the MQTTS listener too. `ca` is what clients have to trust. Throws in a process of neither api nor gateway. */
  readonly tls: FrontTls
}

interface FrontTls {
  /** PEM texts, as they are now. */
  readonly key: string
  readonly cert: string
  readonly ca: string
  /** Has a TLS server present the current certificate, from now on and after each change. */
  present(server: TlsServer): void
}

/** `fault`: why the request is for no address that can be trusted, as a sentence. It is to be refused. Null: it may be served. */
type Api = (request: Request, fault: string | null) => Response | Promise<Response>
type AcceptUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

export interface OpenFront extends Front {
  /** Opens the sockets. Throws StartError. */
  listen(): Promise<FrontPorts>
  /** Refuses new connections, lets requests under way finish, and cuts what is left when `deadline` aborts. */
  close(deadline: AbortSignal): Promise<void>
}

/** The ports that are really bound. `https` is null in a process without TLS. */
export interface FrontPorts {
  readonly https: number | null
  readonly http: number
}

/** How long a client may take for what, on both ports. Everything else that is slow is the hub's own work, and has other bounds. */
const serving = {
  /** From the first byte of a connection, or of a request on it, to the end of its headers: who sends them by drops is cut. */
  headersTimeout: 10_000,
  /** To the end of the body, which is 16 MiB at most: 560 KiB a second are enough. Answers may take longer. */
  requestTimeout: 30_000,
  /** How late the two may be noticed. */
  connectionsCheckingInterval: 1_000,
  /** Longer than the 60 s of common load balancers: the side that reuses a connection should be the one that closes it. */
  keepAliveTimeout: 65_000,
  /** An api-version, a token, a continuation token and what proxies add: all of them together are below 8 KiB. */
  maxHeaderSize: 16 * 1024,
} as const

/**
 * No byte in either direction for this long: the client is gone without a word, or does not read its answer. Longer than the
 * longest silence of an honest request: a direct method that waits 300 s for its device and 300 s for the answer.
 */
const idleMsMax = 11 * 60_000

/**
 * How many requests one connection may carry, and so how many a client may have pipelined into it without reading an answer. The
 * last one is answered with `Connection: close`; who sends more is cut.
 */
const requestsPerSocketMax = 1_000

/** How long the answer to a request that is refused early waits for the rest of it. */
const lingerMs = 2_000

/** Devices with a certificate of their own show it over WebSocket too. Nobody has to: who shows none is an ordinary client. */
const clientCertificates = { requestCert: true, rejectUnauthorized: false, handshakeTimeout: 10_000 } as const

export function openFront(options: {
  config: Pick<Config, 'bind' | 'httpsPort' | 'httpPort' | 'httpHost'>
  /** Null: this process has no TLS port. */
  tls: LiveTls | null
  /** What the plain port answers to the operator, before the API is asked. Null: no such page. */
  page: (path: string) => Promise<Response> | null
  /** Hears of connections that could not be accepted, as when the process has too many files open. The next one may be. */
  onRefused: (error: Error) => void
}): OpenFront {
  const { config, tls, page, onRefused } = options
  const upgrades = new Map<string, AcceptUpgrade>()
  let api: Api | null = null

  const answer: Api = (request, fault) => api?.(request, fault) ?? new Response('Not found\n', { status: 404 })
  const answerPlain: Api = (request, fault) =>
    (fault === null ? page(new URL(request.url).pathname) : null) ?? answer(request, fault)
  // The platform's own Request and Response stay in place: other libraries of the process use them.
  const listener = (serve: Api) =>
    getRequestListener(
      async (request, { incoming }) => {
        const response = await serve(request, faultOf(request.url, incoming.url ?? ''))
        if (!(await hasComeWhole(incoming))) response.headers.set('connection', 'close')
        return response
      },
      { overrideGlobalObjects: false },
    )

  const http = createServer(serving, listener(answerPlain))
  const https =
    tls && createTlsServer({ ...tlsOptions(tls.current), ...clientCertificates, ...serving }, listener(answer))
  if (https) tls.present(https)
  const servers = [http, ...(https ? [https] : [])].map((server) => {
    server.setTimeout(idleMsMax)
    server.maxRequestsPerSocket = requestsPerSocketMax
    server.on('error', (error) => {
      // Before that, it says why the port cannot be opened, and who opens it hears of it.
      if (server.listening) onRefused(error)
    })
    server.on('dropRequest', (_, socket) => {
      if (socket instanceof Socket && !socket.writableEnded) socket.destroySoon()
    })
    server.on('upgrade', (request, socket, head) => routeUpgrade(upgrades, request, socket, head))
    return trackConnections(server)
  })

  return {
    get tls() {
      assert(tls, 'only the api and the gateway have certificates')
      const { key, cert, ca } = tls.current
      return { key, cert, ca, present: tls.present }
    },
    serve(served) {
      api = served
    },
    upgrade(path, accept) {
      upgrades.set(path, accept)
    },
    async listen() {
      const host = { name: 'MUSTER_BIND', address: config.bind }
      const httpHost = { name: 'MUSTER_HTTP_HOST', address: config.httpHost }
      return {
        http: await listen(http, { name: 'MUSTER_HTTP_PORT', port: config.httpPort, host: httpHost }),
        https:
          https &&
          (await listen(https, { name: 'MUSTER_HTTPS_PORT', port: config.httpsPort, host, unprivileged: 8443 })),
      }
    },
    async close(deadline) {
      await Promise.all(servers.map((server) => server.close(deadline)))
    },
  }
}

function faultOf(url: string, target: string): string | null {
  // The adapter lets a Host pass of which no URL can be made, such as "a.1".
  if (!URL.canParse(url)) return 'The Host of the request is no host name'
  return climbs(target) ? 'The path of the request has a segment . or .., which would lead to another address' : null
}

/**
 * Whether a target has a segment "." or "..", escaped or not. A URL loses it together with the one before, and the request
 * would reach another address than it names: `/devices/x/modules/..` that of the device.
 */
function climbs(target: string): boolean {
  const [path = ''] = target.split('?')
  return /(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i.test(path)
}

/**
 * Waits, for a moment at most, until a request that is answered early has come whole: a connection that is closed while its client
 * still sends takes the answer with it. False: more of it is on its way, and the connection cannot carry another one.
 */
async function hasComeWhole(incoming: Readable & { readonly complete: boolean }): Promise<boolean> {
  if (incoming.complete) return true
  incoming.removeAllListeners('data').resume()
  await finished(incoming, { writable: false, signal: AbortSignal.timeout(lingerMs) }).catch(() => {})
  return incoming.complete
}

/** Some clients offer HTTP/2 in clear (h2c) with their first request; Node has left its body unread by then. */
const noOtherUpgrade = 'expected Upgrade: websocket or no Upgrade; this port speaks HTTP/1.1\n'

function routeUpgrade(
  upgrades: ReadonlyMap<string, AcceptUpgrade>,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  // Node has taken its own listener off: without one, a reset connection would end the process.
  socket.on('error', () => socket.destroy())
  const refuse = (status: string, body = '') =>
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  const accept = upgrades.get(pathOf(request.url ?? ''))
  if (request.headers.upgrade?.toLowerCase() !== 'websocket') refuse('400 Bad Request', noOtherUpgrade)
  else if (accept === undefined) refuse('404 Not Found')
  else accept(request, socket, head)
}

/** Without escapes, the slash at its end and the query. Empty when it has an escape that is none. */
function pathOf(target: string): string {
  const [path = ''] = target.split('?')
  try {
    return decodeURIComponent(path).replace(/\/$/, '')
  } catch {
    return ''
  }
}
