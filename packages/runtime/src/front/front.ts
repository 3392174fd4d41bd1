import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { Socket } from 'node:net'
import type { Duplex, Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { Server as TlsServer } from 'node:tls'
import { getRequestListener } from '@hono/node-server'
import type { Config } from '../config/config.ts'
import { createClientAddress } from './client-address.ts'
import { listen } from './listen.ts'
import { type LiveTls, tlsOptions } from './live-tls.ts'
import { trackConnections } from './open-connections.ts'

/** The listening HTTP sockets of this process, shared by its roles. */
export interface Front {
  /** The service API: on the HTTPS port and on the plain HTTP port. One role of the process serves. */
  serve(api: Api): void
  /**
   * WebSocket upgrades on both ports with this path, percent-encoded or not. A slash and a query string may follow. On the HTTPS port
   * the socket is a `TLSSocket`, with the certificate of the client if it has shown one. The caller decides whether to trust it.
   */
  upgrade(path: string, accept: AcceptUpgrade): void
  /** Also for the MQTTS listener. Clients must trust `ca`. Throws in a process that is neither api nor gateway. */
  readonly tls: FrontTls
}

interface FrontTls {
  /** PEM texts, as they are now. */
  readonly key: string
  readonly cert: string
  readonly ca: string
  /** Gives a TLS server the current certificate, now and after each change. */
  present(server: TlsServer): void
}

type Api = (request: Request, arrival: Arrival) => Response | Promise<Response>

/** What the front has found out about a request. */
export interface Arrival {
  /** Why the path of the request cannot be trusted, as a sentence. The request must be refused. Null: it may be served. */
  readonly fault: string | null
  /** The IP address that it comes from: of the client, where the balancers before us are trusted. */
  readonly clientAddress: string
  /** Closes the connection at once, whatever of the answer has not been taken. The body of the answer is cancelled. */
  cut(): void
}

type OperatorPage = (visit: { readonly request: Request; readonly address: string }) => Promise<Response> | null
type AcceptUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

export interface OpenFront extends Front {
  /** Opens the sockets. Throws StartError. */
  listen(): Promise<FrontPorts>
  /** How many requests the API is answering. */
  requestsInFlight(): number
  /** Refuses new connections, lets requests under way finish, and cuts the rest when `deadline` aborts. */
  close(deadline: AbortSignal): Promise<void>
}

/** The ports that are really bound. `https` is null in a process without TLS. */
export interface FrontPorts {
  readonly https: number | null
  readonly http: number
}

/** How much time a client has, on both ports. All other slow work is that of the hub, and has other bounds. */
const serving = {
  /** From the first byte of a connection, or of a request on it, to the end of the headers. A client that sends slower is cut. */
  headersTimeout: 10_000,
  /** To the end of the body, which is 16 MiB at most: 560 KiB a second are enough. Answers may take longer. */
  requestTimeout: 30_000,
  /** How late the server may notice the end of these times. */
  connectionsCheckingInterval: 1_000,
  /** Longer than the 60 s of common load balancers: the side that reuses a connection should be the one that closes it. */
  keepAliveTimeout: 65_000,
  /** An api-version, a token, a continuation token and what proxies add: all of them together are below 8 KiB. */
  maxHeaderSize: 16 * 1024,
} as const

/**
 * After so long without a byte in either direction, the client is gone, or does not read its answer. Longer than the longest silence
 * of an honest request: a direct method that waits 300 s for its device and 300 s for the answer.
 */
const idleMsMax = 11 * 60_000

/**
 * How many requests one connection may carry. So this is also the most that a client may pipeline without reading an answer. The last
 * one is answered with `Connection: close`; a client that sends more is cut.
 */
const requestsPerSocketMax = 1_000

/** How long the answer to an early refused request waits for the rest of the request. */
const lingerMs = 2_000

/** Devices may show a certificate over WebSocket too. Other clients show none. */
const clientCertificates = { requestCert: true, rejectUnauthorized: false, handshakeTimeout: 10_000 } as const

export function openFront(options: {
  config: Pick<Config, 'bind' | 'httpsPort' | 'httpPort' | 'httpHost' | 'trustedProxies'>
  /** Null: this process has no TLS port. */
  tls: LiveTls | null
  /** The pages for the operator on the plain port, which come before the API. Null: no such page. */
  page: OperatorPage
  /** Called when a connection cannot be accepted, for example with too many open files. The next one may succeed. */
  onRefused: (error: Error) => void
}): OpenFront {
  const { config, tls, page, onRefused } = options
  const upgrades = new Map<string, AcceptUpgrade>()
  let api: Api | null = null
  let inFlight = 0

  const clientAddress = createClientAddress(config.trustedProxies)
  const answer: Api = async (request, arrival) => {
    if (api === null) return new Response('Not found\n', { status: 404 })
    inFlight += 1
    try {
      return await api(request, arrival)
    } finally {
      inFlight -= 1
    }
  }
  const answerPlain: Api = (request, arrival) =>
    (arrival.fault === null ? page({ request, address: arrival.clientAddress }) : null) ?? answer(request, arrival)
  // The global Request and Response of Node stay, because other libraries of the process use them.
  const listener = (serve: Api) =>
    getRequestListener(
      async (request, { incoming }) => {
        const { remoteAddress = '' } = incoming.socket
        const response = await serve(request, {
          fault: faultOf(request.url, incoming.url ?? ''),
          clientAddress: clientAddress(remoteAddress, [incoming.headers['x-forwarded-for'] ?? []].flat().join(',')),
          cut: () => incoming.socket.destroy(),
        })
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
      // Before it listens, an error says why the port cannot be opened. `listen` reports it.
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
    requestsInFlight: () => inFlight,
    async close(deadline) {
      await Promise.all(servers.map((server) => server.close(deadline)))
    },
  }
}

function faultOf(url: string, target: string): string | null {
  // The adapter accepts a Host that makes no valid URL, such as "a.1".
  if (!URL.canParse(url)) return 'The Host of the request is no host name'
  return climbs(target) ? 'The path of the request has a segment . or .., which would lead to another address' : null
}

/**
 * Whether a target has a segment "." or "..", escaped or not. A URL drops it, and the request would reach another address than it
 * names: `/devices/x/modules/..` would reach the device.
 */
function climbs(target: string): boolean {
  const [path = ''] = target.split('?')
  return /(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i.test(path)
}

/**
 * Waits a moment until an early answered request has come whole. If a connection is closed while its client still sends, the answer is
 * lost. False: more of the request is on its way, and the connection cannot carry another request.
 */
async function hasComeWhole(incoming: Readable & { readonly complete: boolean }): Promise<boolean> {
  if (incoming.complete) return true
  incoming.removeAllListeners('data').resume()
  await finished(incoming, { writable: false, signal: AbortSignal.timeout(lingerMs) }).catch(() => {})
  return incoming.complete
}

/** Some clients offer HTTP/2 without TLS (h2c) in their first request. Node has not read the body of such a request. */
const noOtherUpgrade = 'expected Upgrade: websocket or no Upgrade; this port speaks HTTP/1.1\n'

function routeUpgrade(
  upgrades: ReadonlyMap<string, AcceptUpgrade>,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  // Node has removed its own listener. Without one, a reset connection would end the process.
  socket.on('error', () => socket.destroy())
  const refuse = (status: string, body = '') =>
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  const accept = upgrades.get(pathOf(request.url ?? ''))
  if (request.headers.upgrade?.toLowerCase() !== 'websocket') refuse('400 Bad Request', noOtherUpgrade)
  else if (accept === undefined) refuse('404 Not Found')
  else accept(request, socket, head)
}

/** The decoded path, without the slash at its end and without the query. Empty when an escape is malformed. */
function pathOf(target: string): string {
  const [path = ''] = target.split('?')
  try {
    return decodeURIComponent(path).replace(/\/$/, '')
  } catch {
    return ''
  }
}
