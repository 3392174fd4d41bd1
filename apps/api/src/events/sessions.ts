import { formatInstant } from '@muster/contract'
import type { Clock } from '@muster/runtime'
import { sessionCookie } from '../http/authorize.ts'
import type { ApiContext, Endpoint } from '../http/endpoint.ts'
import { jsonReply } from '../http/reply.ts'
import { sessionSchema } from '../http/schemas.ts'
import type { Sessions } from './session-cookie.ts'

/** A session lets a browser read with a cookie, because its `EventSource` sends no other token. */
export function sessionRoutes({ clock }: { readonly clock: Clock }, sessions: Sessions): readonly Endpoint[] {
  return [
    {
      method: 'post',
      path: '/sessions',
      operationId: 'openSession',
      summary: 'Open a session: a cookie that is good for GET requests, for an hour at most',
      permission: 'ServiceConnect',
      throttle: 'jobEvents',
      reply: sessionSchema,
      async handle(c) {
        const session = sessions.open(c.get('access'), clock.now())
        const { account, permissions, expiresAtMs } = session.access
        return jsonReply(
          200,
          { account, permissions, expiryTime: formatInstant(new Date(expiresAtMs)) },
          { 'set-cookie': cookie(c, session.token, session.seconds), 'cache-control': 'no-store' },
        )
      },
    },
    {
      method: 'delete',
      path: '/sessions',
      operationId: 'closeSession',
      summary: 'Forget the session of a browser',
      permission: 'ServiceConnect',
      throttle: 'jobEvents',
      takesSession: true,
      reply: null,
      handle: async (c) => new Response(null, { status: 204, headers: { 'set-cookie': cookie(c, '', 0) } }),
    },
  ]
}

/** Over TLS it is never sent in clear. A balancer that ends TLS says so; a caller that says so wrongly has a cookie of less use. */
function cookie(c: ApiContext, value: string, seconds: number): string {
  const isSecure = c.req.url.startsWith('https:') || /^https\b/i.test(c.req.header('x-forwarded-proto') ?? '')
  const attributes = `Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict`
  return `${sessionCookie}=${value}; ${attributes}${isSecure ? '; Secure' : ''}`
}
