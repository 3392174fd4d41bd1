import { createHmac, timingSafeEqual } from 'node:crypto'
import { permissions } from '@muster/auth'
import { z } from 'zod'
import { type ReadSession, sessionCookie } from '../http/authorize.ts'
import type { Access } from '../http/endpoint.ts'

/** Sessions of browsers. A process keeps nothing of them: the cookie has it all, and a signature. */
export interface Sessions {
  /** The session ends an hour from now, or with the token that opens it. */
  open(access: Access, now: Date): { readonly token: string; readonly access: Access; readonly seconds: number }
  readonly read: ReadSession
}

const sessionMs = 3_600_000

const accessSchema = z.object({
  account: z.templateLiteral([z.enum(['policy', 'client']), ':', z.string()]),
  permissions: z.array(z.enum(permissions)),
  expiresAtMs: z.number(),
})

/** `secret`: the same one in every process of a hub. With another one all sessions end. */
export function createSessions(secret: string): Sessions {
  const key = createHmac('sha256', secret).update('sessions').digest()
  const sign = (content: string) => createHmac('sha256', key).update(content).digest()

  return {
    open({ account, permissions, expiresAtMs }, now) {
      const access = { account, permissions, expiresAtMs: Math.min(expiresAtMs, now.getTime() + sessionMs) }
      const content = Buffer.from(JSON.stringify(access)).toString('base64url')
      const seconds = Math.ceil((access.expiresAtMs - now.getTime()) / 1000)
      return { token: `${content}.${sign(content).toString('base64url')}`, access, seconds }
    },
    read(cookies, now) {
      const [content = '', signature = ''] = sessionIn(cookies ?? '').split('.')
      const [given, expected] = [Buffer.from(signature, 'base64url'), sign(content)]
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null
      const access = accessSchema.parse(JSON.parse(Buffer.from(content, 'base64url').toString()))
      return access.expiresAtMs > now.getTime() ? access : null
    },
  }
}

function sessionIn(cookies: string): string {
  const pairs = cookies.split(';').map((pair) => pair.trim())
  return pairs.find((pair) => pair.startsWith(`${sessionCookie}=`))?.slice(sessionCookie.length + 1) ?? ''
}
