import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import type { Config } from './config.ts'
import { listen } from './listen.ts'
import { trackConnections } from './open-connections.ts'

/** The listening HTTP sockets of this process, shared by its roles. */
export interface Front {
  /** The service API: on the HTTPS port and on the plain HTTP port. One role of the process serves. */
  serve(fetch: Fetch): void
  /** WebSocket upgrades, on both ports, whose path is exactly `path`; a query string may follow. */
  upgrade(path: string, accept: AcceptUpgrade): void
  /** PEM texts, for the MQTTS listener too; `ca` is what clients have to trust. Throws in a process of neither api nor gateway. */
  readonly tls: { readonly key: string; readonly cert: string; readonly ca: string }
}

type Fetch = (request: Request) => Response | Promise<Response>
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

export function openFront(options: {
  config: Pick<Config, 'httpsPort' | 'httpPort' | 'httpHost'>
  /** Null: this process has no TLS port. */
  tls: Front['tls'] | null
  /** What the plain port answers to the operator, before the API is asked. Null: no such page. */
  page: (path: string) => Promise<Response> | null
}): OpenFront {
  const { config, tls, page } = options
  const upgrades = new Map<string, AcceptUpgrade>()
  let api: Fetch | null = null

  const answer: Fetch = (request) => api?.(request) ?? new Response('Not found\n', { status: 404 })
  const answerPlain: Fetch = (request) => page(new URL(request.url).pathname) ?? answer(request)
  // The platform's own Request and Response stay in place: other libraries of the process use them.
  const listener = (fetch: Fetch) => getRequestListener(fetch, { overrideGlobalObjects: false })

  const http = createServer(listener(answerPlain))
  const https = tls && createTlsServer({ key: tls.key, cert: tls.cert, minVersion: 'TLSv1.2' }, listener(answer))
  const servers = [http, ...(https ? [https] : [])].map((server) => {
    // Longer than the 60 s of common load balancers: the side that reuses a connection should be the one that closes it.
    server.keepAliveTimeout = 65_000
    server.on('upgrade', (request, socket, head) => routeUpgrade(upgrades, request, socket, head))
    return trackConnections(server)
  })

  return {
    get tls() {
      assert(tls, 'only the api and the gateway have certificates')
      return tls
    },
    serve(fetch) {
      api = fetch
    },
    upgrade(path, accept) {
      upgrades.set(path, accept)
    },
    async listen() {
      return {
        http: await listen(http, { name: 'MUSTER_HTTP_PORT', port: config.httpPort, host: config.httpHost }),
        https:
          https && (await listen(https, { name: 'MUSTER_HTTPS_PORT', port: config.httpsPort, unprivileged: 8443 })),
      }
    },
    async close(deadline) {
      await Promise.all(servers.map((server) => server.close(deadline)))
    },
  }
}

function routeUpgrade(
  upgrades: ReadonlyMap<string, AcceptUpgrade>,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  // Node has taken its own listener off: without one, a reset connection would end the process.
  socket.on('error', () => socket.destroy())
  const accept = upgrades.get(request.url?.split('?')[0] ?? '')
  if (accept !== undefined) accept(request, socket, head)
  else socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
}
