import { serveStatic } from '@hono/node-server/serve-static'
import type { Bus } from '@muster/bus'

/** Where the queues are shown. */
export const queuesPath = '/internal/queues'

/**
 * The browser refuses everything that is not from this hub, and nobody may frame the pages. Their elements have styles of their own, and
 * icons are data.
 */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The library's page asks for fonts of another host. It looks well without them. */
const foreignLinks = /<link\b[^>]*\bhref="https?:[^>]*>/g

/** Shows the wake-ups that are on the bus. They hold no state: the truth about jobs is in Postgres. */
export function queuePages(bus: Pick<Bus, 'showQueues'>): (request: Request) => Promise<Response> {
  let board: ReturnType<typeof openBoard> | undefined
  return async (request) => {
    board ??= openBoard(bus)
    const url = new URL(request.url)
    url.pathname = url.pathname.slice(queuesPath.length) || '/'
    const response = await (await board).fetch(new Request(url, request))
    const isPage = response.headers.get('content-type')?.startsWith('text/html') ?? false
    const body = isPage ? (await response.text()).replaceAll(foreignLinks, '') : response.body
    const { status } = response
    return new Response(body, { status, headers: headersOf(response) })
  }
}

async function openBoard({ showQueues }: Pick<Bus, 'showQueues'>) {
  const { HonoAdapter } = await import('@bull-board/hono')
  const server = new HonoAdapter(serveStatic)
  await showQueues(server)
  const pages = server.registerPlugin()
  // The page tells the browser this beginning of its paths. The requests come here without it.
  server.setBasePath(queuesPath)
  return pages
}

function headersOf(response: Response): Headers {
  const headers = new Headers(response.headers)
  headers.delete('content-length')
  headers.set('content-security-policy', contentSecurityPolicy)
  headers.set('x-content-type-options', 'nosniff')
  headers.set('referrer-policy', 'no-referrer')
  return headers
}
